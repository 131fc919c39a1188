// One tab stop for the whole picture; arrow keys go to the nearest thing in their direction.
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const middle = (element) => {
  const box = element.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
};

/// Called after `container` was drawn anew.
export function oneStop(container) {
  const links = [...container.querySelectorAll("a")];
  for (const link of links) link.setAttribute("tabindex", "-1");
  (links.find((link) => link === document.activeElement) ?? links[0])?.setAttribute("tabindex", "0");
}

export function arrows(container) {
  container.addEventListener("focusin", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    container.querySelector('a[tabindex="0"]')?.setAttribute("tabindex", "-1");
    link.setAttribute("tabindex", "0");
  });
  container.addEventListener("keydown", (event) => {
    const direction = DIRECTIONS[event.key];
    const from = event.target.closest("a");
    if (!direction || !from) return;
    event.preventDefault();
    const [x, y] = middle(from);
    let best = null,
      least = Infinity;
    for (const link of container.querySelectorAll("a")) {
      if (link === from) continue;
      const [dx, dy] = [middle(link)[0] - x, middle(link)[1] - y];
      const ahead = dx * direction[0] + dy * direction[1];
      const aside = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
      if (ahead > 1 && ahead + 3 * aside < least) {
        best = link;
        least = ahead + 3 * aside;
      }
    }
    best?.focus();
  });
}
