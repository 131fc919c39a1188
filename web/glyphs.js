// How states look. A shape for each, not only a colour.
import { s } from "./dom.js";

export const SAYS = {
  up: "up",
  down: "down: no OpenFlow port, or an error",
  unbound: "plugged in nowhere",
  duplicate: "claimed twice",
  arriving: "its VM is on the way here",
  unknown: "its host is down",
};

/// The mark of a port in `state`, about a point of the picture.
export function mark(state, x, y, radius = 4.5) {
  const r = radius;
  const shape =
    {
      down: `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
      duplicate: `M${x} ${y - r - 1}l${r + 1} ${r + 1}l${-r - 1} ${r + 1}l${-r - 1} ${-r - 1}z`,
      arriving: `M${x - r} ${y - r}l${2 * r} ${r}l${-2 * r} ${r}z`,
    }[state] ?? `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  return s("path", { d: shape, class: `mark ${state}` });
}

let pen = null;
/// The width of a text in the picture, in pixels.
export function width(text, font = 12, weight = 400) {
  pen ??= document.createElement("canvas").getContext("2d");
  pen.font = `${weight} ${font}px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

/// The text, or as much of it as there is room for.
export function fitted(text, room, font = 12, weight = 400) {
  if (width(text, font, weight) <= room) return text;
  let most = text.length;
  while (most > 1 && width(`${text.slice(0, most)}…`, font, weight) > room) --most;
  return `${text.slice(0, most)}…`;
}
