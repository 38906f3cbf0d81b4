// What stands around the rows: filter, query, columns, copy, and how many are selected and shown.

const TYPING_MILLISECONDS = 120;

/** Return a function that waits until it has not been called for a while. */
function afterPause(work, milliseconds) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, milliseconds);
  };
}

function filterTools(table, model) {
  const text = make("input", { type: "search", placeholder: "text in any column", class: "cnb-filter", autocomplete: "off", spellcheck: "false" });
  const inBodies = make("input", { type: "checkbox", class: "cnb-in-bodies" });
  const save = () => {
    model.set("filter", text.value);
    model.set("in_bodies", inBodies.checked);
    model.save_changes();
  };
  text.addEventListener("input", afterPause(save, TYPING_MILLISECONDS));
  text.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") table.focusRows();
  });
  inBodies.addEventListener("change", save);
  const draw = () => {
    if (text.value !== model.get("filter") && document.activeElement !== text) text.value = model.get("filter");
    inBodies.checked = model.get("in_bodies");
  };
  draw();
  const elements = [make("label", {}, "Filter", text), make("label", {}, inBodies, "also in whole bodies")];
  return { elements, draw, clear: () => Object.assign(text, { value: "" }) };
}

function queryTools(table, model) {
  const problem = make("div", { class: "cnb-error cnb-query-error", role: "alert", id: uniqueId("query-error") });
  const text = make("input", {
    type: "text", class: "cnb-query", placeholder: "delivery_count > 2 and `prop.source` == \"web\"", autocomplete: "off", spellcheck: "false",
    "aria-describedby": problem.id,
  });
  const ask = () => {
    table.say("Asking …");
    model.send({ do: "query", text: text.value });
  };
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter") ask();
    else if (event.key === "Escape" && text.value) {
      text.value = "";
      ask();
    }
  });
  const draw = () => {
    problem.textContent = table.store.queryError;
    problem.hidden = !table.store.queryError;
    text.setAttribute("aria-invalid", String(Boolean(table.store.queryError)));
    if (!table.store.queryError && document.activeElement !== text) text.value = model.get("query");
  };
  draw();
  const button = make("button", { type: "button", class: "cnb-ask", onclick: ask }, "Query");
  return { elements: [make("label", { class: "cnb-grows" }, "pandas query", text), button], problem, draw };
}

function selectionTools(table) {
  const counts = make("div", { class: "cnb-counts", role: "status" });
  const status = announcer();
  const button = (words, name, work) => make("button", { type: "button", class: name, onclick: work }, words);
  const bar = make(
    "div",
    { class: "cnb-row-of" },
    counts,
    button("Select all shown", "cnb-select-all", () => table.selectShown()),
    button("Clear selection", "cnb-clear", () => table.select([])),
    button("Copy", "cnb-copy", () => table.copy()),
    columnsMenu(table, table.model),
    status.element,
  );
  const draw = () => {
    const { order, places, selection, store } = table;
    let hidden = 0;
    for (const row of selection) if (!places.has(row)) hidden += 1;
    const words = countsWords({ selected: selection.size, hidden, shown: order.length, total: store.total, loaded: store.loaded });
    if (counts.textContent !== words) counts.textContent = words;
  };
  return { element: bar, draw, say: status.say };
}
