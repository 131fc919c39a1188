// Elements from data. Text becomes text nodes, never markup: whatever the API says, a name is only ever shown.
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "vars")
      // the Content-Security-Policy forbids style attributes, not the object model
      for (const [key, of] of Object.entries(value)) element.style.setProperty(`--${key}`, of);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const at = (id) => document.getElementById(id);

/// Replaces the children only when `key` is another than last time, so that focus, scroll and selections stay.
export function refill(element, key, make) {
  if (element.weftKey === key) return false;
  element.weftKey = key;
  const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  element.replaceChildren(...[make()].flat(Infinity).filter(Boolean));
  if (focused)
    for (const link of element.querySelectorAll("a"))
      if (link.getAttribute("href") === focused) {
        link.focus({ preventScroll: true });
        break;
      }
  return true;
}

/// Sets an attribute, or the text, only where it differs: nothing is laid out again for what stays.
export function put(element, name, value) {
  if (name === "text") {
    if (element.textContent !== value) element.textContent = value;
  } else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
