// The body viewer: one message or two, asked of Python when they are looked at.

const PATIENCE_MS = 80;
const BUSY_MS = 1500;
/** Of questions in one group only the last one's answer is wanted. */
const GROUPS = { body: "main", compare: "main", keep_body: "keep", keep_properties: "keep" };

function render({ model, el }) {
  const view = uniqueId("bodies");
  const status = announcer();
  const say = (text) => status.say(text);
  const errors = errorPlace(model);
  const title = make("h3", { class: "cnb-body-title" });
  const details = make("div");
  const words = make("p", { class: "cnb-body-cut" });
  const body = make("div");
  const formId = uniqueId("form");
  const choose = make("select", { id: formId, onchange: () => setForm(choose.value) }, make("option", { value: "auto" }, "as found"));
  for (const [value, name] of Object.entries(FORM_NAMES)) choose.append(make("option", { value }, name));
  const button = (text, onclick, extra = {}) => make("button", { type: "button", onclick, ...extra }, text);
  const buttons = {
    before: button("Previous part", () => askBody(shown.part - 1)),
    next: button("Next part", () => askBody(shown.part + 1)),
    copy: button("Copy body", () => ask("whole", { purpose: "copy" })),
    download: button("Download", () => ask("whole", { purpose: "download" })),
    edit: button("Edit body", () => ask("whole", { purpose: "edit" })),
    changes: button("Show changes", () => ask("compare", { rows: [shown.row] })),
    undo: button("Undo edit", () => ask("undo")),
    code: button("Copy edits as Python", () => ask("code")),
  };
  const tools = make("div", { class: "cnb-row-of cnb-body-tools" }, make("label", { for: formId }, "Show as"), choose, ...Object.values(buttons));
  const compare = button("Compare two selected", () => ask("compare_selected"));
  const back = button("Back to one message", goBack);
  const root = make(
    "section",
    { class: "cnb cnb-bodies", role: "region", "aria-label": "Body" },
    make("div", { class: "cnb-row-of" }, title, compare, back),
    errors.element,
    status.element,
    details,
    tools,
    words,
    body,
  );
  let shown = { row: null, part: 0, parts: 1, openFolds: new Set(["Properties"]) };
  let asked = 0;
  let notice = "";
  const latest = {};
  let editing = null;
  let comparing = false;
  let timer;
  let busy;

  function ask(what, extra = {}, buffers = []) {
    asked += 1;
    latest[GROUPS[what] || what] = asked;
    clearTimeout(busy);
    busy = setTimeout(() => say("No answer yet: the kernel is busy or not running."), BUSY_MS);
    model.send({ do: what, view, ask: asked, row: shown.row, ...extra }, undefined, buffers);
  }

  function askBody(part = 0) {
    ask("body", { form: model.get("form"), part });
  }

  function setForm(form) {
    model.set("form", form);
    model.save_changes();
  }

  function follow() {
    clearTimeout(timer);
    timer = setTimeout(look, PATIENCE_MS);
  }

  function look() {
    const pair = model.get("pair");
    const row = model.get("row");
    if (editing) {
      if (row !== shown.row) say("This message is being edited. Keep the edit or cancel it to see another one.");
      return;
    }
    drawTools();
    if (pair.length === 2) return ask("compare", { rows: pair });
    comparing = false;
    shown.row = row;
    if (row === null || row === undefined) return drawNothing();
    askBody();
  }

  function goBack() {
    comparing = false;
    if (model.get("pair").length) {
      model.set("pair", []);
      model.save_changes();
    } else look();
  }

  function drawNothing() {
    title.textContent = "No message chosen";
    say("Choose a row of the table to read its message.");
    details.replaceChildren();
    words.textContent = "";
    body.replaceChildren();
    drawTools();
  }

  function drawTools() {
    const before = root.getRootNode().activeElement;
    arrangeTools();
    // A button that goes away must not take the keyboard's place in the page with it.
    if (before && root.contains(before) && (before.closest("[hidden]") || before.disabled)) {
      const places = [back, buttons.before, choose, compare];
      places.find((place) => !place.closest("[hidden]") && !place.disabled)?.focus();
    }
  }

  function arrangeTools() {
    const hasBody = shown.row !== null && shown.row !== undefined && !shown.missing && !comparing && !editing;
    for (const name of ["copy", "download", "edit"]) buttons[name].hidden = !hasBody;
    choose.disabled = !hasBody;
    choose.value = model.get("form");
    for (const name of ["before", "next"]) buttons[name].hidden = !hasBody || shown.parts < 2;
    buttons.before.disabled = shown.part <= 0;
    buttons.next.disabled = shown.part >= shown.parts - 1;
    const isEdited = Boolean(shown.edited) && !comparing && !editing;
    for (const name of ["changes", "undo"]) buttons[name].hidden = !isEdited;
    buttons.code.hidden = !model.get("edited_rows").length || comparing || Boolean(editing);
    tools.hidden = comparing || Boolean(editing) || shown.row === null || shown.row === undefined;
    compare.hidden = model.get("_is_alone") || comparing || Boolean(editing);
    compare.disabled = model.get("_chosen") !== 2;
    compare.title = compare.disabled ? "Select two rows of the table first" : "";
    back.hidden = !comparing;
  }

  function keepFolds() {
    for (const fold of details.querySelectorAll("details")) {
      const name = fold.querySelector("summary").textContent.replace(/ \(.*/, "");
      if (fold.open) shown.openFolds.add(name);
      else shown.openFolds.delete(name);
    }
  }

  function drawBody(head, content) {
    keepFolds();
    shown = { ...shown, ...head, missing: head.missing };
    comparing = false;
    const name = content.id ? `Message ${content.id}` : "Message without an id";
    title.replaceChildren(name);
    if (head.edited) title.append(" ", make("span", { class: "cnb-badge cnb-warn" }, "edited here, not sent"));
    const properties = content.properties.map(({ name: key, kind, text }) => [key, KIND_NAMES[kind], text]);
    const edit = head.missing ? [] : [button("Edit properties", () => ask("properties"))];
    details.replaceChildren(
      makeDetails("Headers", content.headers, { isOpen: shown.openFolds.has("Headers") }),
      makeDetails("Properties", properties, { isOpen: shown.openFolds.has("Properties"), heads: ["name", "type", "value"], tools: edit }),
    );
    choose.firstChild.textContent = `as found (${FORM_NAMES[head.found]})`;
    drawTools();
    if (head.missing) {
      words.textContent = `No body: ${head.missing}.`;
      body.replaceChildren();
      return tellOf(`${name}: no body`);
    }
    const form = FORM_NAMES[head.form];
    words.textContent = head.words;
    body.replaceChildren(showForm(head.form, content.body, { say }));
    return tellOf(`${name}: ${[form, humanBytes(head.size), head.words].filter(Boolean).join(" · ")}`);
  }

  function tellOf(text) {
    say(notice + text);
    notice = "";
  }

  function drawComparison(head, content) {
    comparing = true;
    title.textContent = "Two messages compared";
    details.replaceChildren();
    words.textContent = "";
    body.replaceChildren(makeComparison(content));
    drawTools();
    say(`${content.sides.join(" and ")}: ${differenceWords(head.differences)}`);
  }

  function stopEditing() {
    editing = null;
    clearTimeout(timer);
    say("");
    look();
    choose.focus();
  }

  function editBody(head, bytes) {
    editing = makeBodyForm(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), {
      keep: (text, anyway) => ask("keep_body", { form: head.form, anyway, token: head.token }, [bufferOf(text)]),
      cancel: stopEditing,
      indent: ["json", "xml"].includes(head.form) ? (text) => ask("indent", { form: head.form }, [bufferOf(text)]) : null,
    });
    startEditing();
  }

  function editProperties(head, properties) {
    editing = makePropertyForm(properties, {
      keep: (rows) => ask("keep_properties", { token: head.token }, [bufferOf(JSON.stringify(rows))]),
      cancel: stopEditing,
      say,
    });
    startEditing();
  }

  function startEditing() {
    keepFolds();
    details.replaceChildren();
    words.textContent = "What you keep stays in this kernel until the row is replayed; the queue is not changed.";
    body.replaceChildren(editing.element);
    say(`${title.firstChild?.textContent}: editing`);
    drawTools();
    editing.focus();
  }

  async function useWhole(head, bytes) {
    if (head.purpose === "download") {
      saveFile(bytes, head.name);
      return say(`Saved ${head.name}, ${humanBytes(bytes.length)}`);
    }
    if (head.purpose === "edit") return editBody(head, bytes);
    const text = textOf(bytes);
    if (text === null) return say("This body is not text and was not copied. Download it instead.");
    return say((await copyText(text)) ? `Copied ${humanBytes(bytes.length)}` : "The page may not use the clipboard. Download it instead.");
  }

  async function receive(head, buffers) {
    if (head.view === view) clearTimeout(busy);
    if (head.view !== view || !Object.values(latest).includes(head.ask)) return;
    if (head.about === "body") drawBody(head, jsonOf(buffers[0]));
    else if (head.about === "compare") drawComparison(head, jsonOf(buffers[0]));
    else if (head.about === "whole") await useWhole(head, bytesOf(buffers[0]));
    else if (head.about === "properties") editProperties(head, jsonOf(buffers[0]));
    else if (head.about === "fault") editing?.showFault(head.words, head.position);
    else if (head.about === "indented" && head.words) say(head.words);
    else if (head.about === "indented") editing?.setText(jsonOf(buffers[0]));
    else if (head.about === "code") say((await copyText(jsonOf(buffers[0]))) ? "Copied the edits as Python" : "The page may not use the clipboard");
    else if (head.about === "kept") {
      notice = "Edit kept. ";
      stopEditing();
    }
  }

  const watched = ["change:row", "change:pair", "change:form", "change:_version"];
  const drawn = ["change:edited_rows", "change:_chosen", "change:_is_alone"];
  for (const name of watched) model.on(name, follow);
  for (const name of drawn) model.on(name, drawTools);
  model.on("msg:custom", receive);
  const stopKeys = keepKeys(root);
  el.append(root);
  look();
  return () => {
    clearTimeout(timer);
    clearTimeout(busy);
    for (const name of watched) model.off(name, follow);
    for (const name of drawn) model.off(name, drawTools);
    model.off("msg:custom", receive);
    errors.stop();
    stopKeys();
  };
}

export default { render };
