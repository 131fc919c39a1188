// Numbers, times and names in words.
const UNITS = ["", " k", " M", " G", " T"];

export function count(number) {
  if (number === null || number === undefined) return "–";
  let unit = 0;
  while (number >= 9999.5 && unit < UNITS.length - 1) {
    number /= 1000;
    ++unit;
  }
  return (unit === 0 ? String(Math.round(number)) : number.toFixed(number < 100 ? 1 : 0)) + UNITS[unit];
}

/// Per second. Below one a second is not nothing.
export function rate(number) {
  if (number === null || number === undefined) return "–";
  if (number === 0) return "0/s";
  return `${number < 1 ? number.toFixed(1) : count(number)}/s`;
}

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function listed(names, most = 4) {
  if (names.length <= most + 1) return names.join(", ");
  return `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}

export function span(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

const two = (number) => String(number).padStart(2, "0");

/// The browser's time; with the date when it is not today's.
export function clock(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time ?? "");
  const hours = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() === new Date().toDateString()) return hours;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${hours}`;
}

/// The address of an object on this page: "#port/web1".
export const ref = (kind, name) => `#${kind}/${encodeURIComponent(name)}`;
