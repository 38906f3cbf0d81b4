// A body in one of its forms. All texts come from Python already made harmless, and become text nodes.

export const FORM_NAMES = { json: "JSON tree", xml: "XML", csv: "CSV table", text: "Text", hex: "Hex", raw: "Raw" };

/** Return an element that shows a body. */
export function showForm(form, content, tools) {
  if (form === "json") return makeTree(content.nodes, tools);
  if (form === "csv") return makeTable(content.rows, content.separator);
  const wraps = form === "text" ? " cnb-body-wraps" : "";
  const label = `Body as ${FORM_NAMES[form]}`;
  const isEmpty = !content.text;
  return make("pre", { tabindex: "0", role: "group", "aria-label": label, class: `cnb-body-text${wraps}` }, isEmpty ? "(empty)" : content.text);
}

function makeTable(rows, separator) {
  const [heads, ...lines] = rows.length ? rows : [[]];
  const table = make(
    "table",
    { class: "cnb-body-table" },
    make("caption", {}, `Separated by ${separator}; the first line as heads`),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "line"), ...heads.map((text) => make("th", { scope: "col" }, text)))),
    make(
      "tbody",
      {},
      ...lines.map((cells, at) =>
        make("tr", {}, make("th", { scope: "row" }, String(at + 2)), ...cells.map((text) => make("td", {}, text))),
      ),
    ),
  );
  return make("div", { tabindex: "0", role: "group", "aria-label": "Body as CSV table", class: "cnb-body-scrolls" }, table);
}

/** Return the bytes of a buffer that came with a message. */
export function bytesOf(buffer) {
  return new Uint8Array(buffer.buffer || buffer, buffer.byteOffset || 0, buffer.byteLength);
}

/** Return text as a buffer to send. */
export function bufferOf(text) {
  return new TextEncoder().encode(text).buffer;
}

/** Return the value of a buffer that holds JSON. */
export function jsonOf(buffer) {
  return JSON.parse(new TextDecoder().decode(bytesOf(buffer)));
}

/** Give the browser a file to save. */
export function saveFile(bytes, name) {
  const address = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = make("a", { href: address, download: name, class: "cnb-offscreen" });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Return the text of a body; null when it is not valid Unicode. */
export function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
