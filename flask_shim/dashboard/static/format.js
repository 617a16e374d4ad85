// Numbers, times and sizes as people read them. What is not known is a dash.

export const UNKNOWN = "–";
const NARROW = "\u202f";

const known = (value, shown) => (value === null || value === undefined ? UNKNOWN : shown(value));
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = (value) => known(value, (n) => whole.format(n));
export const rate = (value) => known(value, (n) => (n < 100 ? fine : whole).format(n));
export const percent = (share) => known(share, (n) => `${whole.format(n * 100)}${NARROW}%`);

export function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
}

export function size(bytes) {
  return known(bytes, (n) => {
    const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, n)) / 3)));
    return `${(power ? fine : whole).format(n / 1000 ** power)}${NARROW}${["B", "kB", "MB", "GB", "TB"][power]}`;
  });
}

// 0.42 s, 12.3 s, 4 min 05 s, 3 h 20 min, 2 d 4 h
export function duration(seconds) {
  return known(seconds, (s) => {
    if (s < 10) return `${s.toFixed(2)}${NARROW}s`;
    if (s < 60) return `${s.toFixed(1)}${NARROW}s`;
    if (s < 3600) return `${Math.floor(s / 60)}${NARROW}min ${pad(s % 60)}${NARROW}s`;
    if (s < 86400) return `${Math.floor(s / 3600)}${NARROW}h ${pad((s % 3600) / 60)}${NARROW}min`;
    return `${Math.floor(s / 86400)}${NARROW}d ${Math.floor((s % 86400) / 3600)}${NARROW}h`;
  });
}

const pad = (number) => String(Math.floor(number)).padStart(2, "0");

// The time of day, and the date unless it is today. Takes ISO 8601 or seconds since 1970.
export function clockTime(value) {
  return known(value, (when) => {
    const date = new Date(typeof when === "number" ? when * 1000 : when);
    const time = date.toLocaleTimeString("en-GB");
    return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString("en-CA")} ${time}`;
  });
}

export function left(until) {
  if (until === null || until === undefined) return "until unloaded";
  return duration(Math.max(0, (new Date(until) - Date.now()) / 1000));
}
