// A body in a text field. What is kept goes to Python, nowhere else.

/** Return a form for a body; `keep(text, anyway)` is called with the line ends that the body came with. */
export function makeBodyForm(text, { keep, cancel, indent }) {
  const ends = lineEnds(text);
  const field = make("textarea", { rows: "16", spellcheck: "false", "aria-label": "Body, to be edited", class: "cnb-body-field" });
  field.value = text;
  const fault = make("div", { role: "alert", class: "cnb-body-fault", hidden: true });
  const current = () => (field.value === start ? text : withLineEnds(field.value, ends));
  const form = make(
    "form",
    {
      class: "cnb-body-edit",
      "aria-label": "Edit body",
      onsubmit: (event) => {
        event.preventDefault();
        fault.hidden = true;
        keep(current(), false);
      },
      onkeydown: (event) => event.key === "Escape" && field.value === start && cancel(),
    },
    ends === "mixed" ? make("p", { class: "cnb-body-soft" }, "The line ends of this body are mixed; if you keep an edit, all become \\n.") : null,
    field,
    fault,
    make(
      "div",
      { class: "cnb-row-of" },
      make("button", { type: "submit", class: "cnb-main" }, "Keep this edit"),
      indent ? make("button", { type: "button", onclick: () => indent(field.value) }, "Indent") : null,
      make("button", { type: "button", onclick: cancel }, "Cancel"),
    ),
  );
  const start = field.value;
  return {
    element: form,
    focus: () => {
      field.focus();
      field.setSelectionRange(0, 0);
    },
    setText(changed) {
      field.value = changed;
      field.focus();
      field.setSelectionRange(0, 0);
    },
    showFault(words, position) {
      fault.replaceChildren(
        `${words}. `,
        make("button", { type: "button", onclick: () => keep(current(), true) }, "Keep it anyway"),
      );
      fault.hidden = false;
      const place = placeInField(current(), position);
      field.focus();
      field.setSelectionRange(place, Math.min(place + 1, field.value.length));
    },
  };
}
