// What all widgets share. Texts of messages are foreign: they only ever become text nodes.

/** Make an element: attributes by name, `on...` as listeners, children as nodes or texts. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

let made = 0;
/** Return an id that no other element of the page has. */
export function uniqueId(prefix) {
  made += 1;
  return `cnb-${prefix}-${made}-${Math.random().toString(36).slice(2, 8)}`;
}

/** Put text on the clipboard; where the page may not (plain http on another machine), by way of a selection. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", { class: "cnb-offscreen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/**
 * JupyterLab and Notebook act on keys by what has the focus, not by what is around it: every element of ours that can have the
 * focus says for itself that its keys are its own.
 */
export function keepKeys(root) {
  const mark = (event) => event.target.setAttribute?.("data-lm-suppress-shortcuts", "true");
  root.addEventListener("focusin", mark);
  return () => root.removeEventListener("focusin", mark);
}

/** A place where outcomes are announced to screen readers, and seen by everyone. */
export function announcer(attributes = {}) {
  const place = make("div", { role: "status", "aria-live": "polite", class: "cnb-status", ...attributes });
  return {
    element: place,
    say(text) {
      place.textContent = text;
    },
  };
}

/** A place for errors, in words; empty when there is none. */
export function errorPlace(model) {
  const place = make("div", { role: "alert", class: "cnb-error" });
  const draw = () => {
    place.textContent = model.get("error") || "";
    place.hidden = !place.textContent;
  };
  model.on("change:error", draw);
  draw();
  return { element: place, stop: () => model.off("change:error", draw) };
}

/** Return how much time is left in words: 1:05, 0:07, 2:03:09; "over" when none is. */
export function timeLeft(milliseconds) {
  if (milliseconds <= 0) return "over";
  const seconds = Math.ceil(milliseconds / 1000);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Return a size in words. */
export function humanBytes(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
