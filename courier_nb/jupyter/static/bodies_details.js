// Headers and properties as tables; properties can be edited with their types.

export const KIND_NAMES = { text: "text", int: "whole number", float: "number", bool: "true or false", null: "null", json: "JSON" };

/** Return a table of names and texts inside a fold. */
export function makeDetails(title, rows, { isOpen = false, heads = ["name", "value"], tools = [] } = {}) {
  const table = make(
    "table",
    { class: "cnb-body-table cnb-body-names" },
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...rows.map(([name, ...texts]) => make("tr", {}, make("th", { scope: "row" }, name), ...texts.map((text) => make("td", {}, text))))),
  );
  return make(
    "details",
    { open: isOpen, class: "cnb-body-details" },
    make("summary", {}, `${title} (${rows.length})`),
    rows.length ? table : make("p", { class: "cnb-body-soft" }, "none"),
    ...tools,
  );
}

/** Return a form for properties; `keep` gets the rows, `cancel` nothing. */
export function makePropertyForm(properties, { keep, cancel, say }) {
  const body = make("tbody");
  const addRow = (property) => {
    const row = make("tr", { class: "cnb-body-property" });
    const called = property.called || "new property";
    const name = make("input", { value: property.name, "aria-label": `Name of ${called}` });
    const kind = make("select", { "aria-label": `Type of ${called}` });
    for (const [value, words] of Object.entries(KIND_NAMES)) kind.append(make("option", { value }, words));
    kind.value = property.kind;
    const text = make("input", { value: property.text, "aria-label": `Value of ${called}`, class: "cnb-body-wide" });
    const lock = () => {
      text.disabled = kind.value === "null";
    };
    kind.addEventListener("change", lock);
    lock();
    const remove = () => {
      const next = row.nextElementSibling || row.previousElementSibling;
      row.remove();
      (next?.querySelector("input") || add).focus();
      say(`${called} removed; keep the edit to make it so`);
    };
    row.read = () => {
      // A text field cannot hold a line end: what was not touched is sent as it came.
      const isSame = name.value === flat(property.name) && text.value === flat(property.text);
      return {
        name: name.value === flat(property.name) ? property.name : name.value,
        kind: kind.value,
        text: isSame || text.value === flat(property.text) ? property.text : text.value,
        was: property.was,
      };
    };
    row.append(
      make("td", {}, name),
      make("td", {}, kind),
      make("td", {}, text),
      make("td", {}, make("button", { type: "button", "aria-label": `Remove ${called}`, onclick: remove }, "Remove")),
    );
    body.append(row);
    return name;
  };
  properties.forEach(addRow);
  const heads = ["name", "type", "value", "remove"].map((head) => make("th", { scope: "col" }, head));
  const add = make(
    "button",
    { type: "button", onclick: () => addRow({ name: "", kind: "text", text: "", was: null }).focus() },
    "Add a property",
  );
  const read = () => [...body.children].map((row) => row.read());
  const form = make(
    "form",
    {
      class: "cnb-body-edit",
      "aria-label": "Edit properties",
      onsubmit: (event) => {
        event.preventDefault();
        keep(read());
      },
      onkeydown: (event) => event.key === "Escape" && cancel(),
    },
    make("table", { class: "cnb-body-table" }, make("thead", {}, make("tr", {}, ...heads)), body),
    make(
      "div",
      { class: "cnb-row-of" },
      make("button", { type: "submit", class: "cnb-main" }, "Keep this edit"),
      add,
      make("button", { type: "button", onclick: cancel }, "Cancel"),
    ),
  );
  return { element: form, focus: () => (body.querySelector("input") || add).focus() };
}

function flat(text) {
  return text.replace(/[\r\n]/g, "");
}
