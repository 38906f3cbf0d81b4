// The pieces of an action panel: fields, confirmation, progress, report, Python.

const READING_MILLISECONDS = 400;

/** Whether a field is shown for these values of the others. */
export function fieldShown(field, values) {
  return !field.shown_for || values[field.shown_for[0]] === field.shown_for[1];
}

/** Return how far the work is, in words. */
export function progressWords(progress) {
  const unit = progress.unit === "msg" ? "messages" : progress.unit;
  const share = progress.total ? ` of ${progress.total}` : "";
  const percent = progress.total ? `, ${Math.min(100, Math.round((100 * progress.done) / progress.total))} %` : "";
  const note = progress.note ? `; ${progress.note}` : "";
  return `${progress.done}${share} ${unit}${percent}, ${elapsed(progress.seconds)}${note}`;
}

/** Return how long something takes already, in words. */
export function elapsed(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

/** Return what Stop means just now, in words. */
export function stopWords(asked, stopping) {
  if (stopping) {
    return "What is in hand is finished first. End now cuts it off: of what had no answer yet, nobody knows; it comes back when its lock ends.";
  }
  return asked ? "Asked to stop. A kernel that is busy with a cell hears it when the cell ends." : "";
}

/** Return one line for each reason why actions are not possible, with the buttons that it is about. */
export function reasonLines(actions) {
  const byReason = new Map();
  for (const { label, reason } of actions) {
    if (reason) byReason.set(reason, [...(byReason.get(reason) || []), label]);
  }
  return [...byReason].map(([reason, labels]) => {
    const words = reason.charAt(0).toUpperCase() + reason.slice(1);
    return labels.length === actions.length ? words : `${labels.join(", ")}: ${words}`;
  });
}

/** Return the value that a field's element holds. */
function valueOf(field, element) {
  if (field.kind === "checkbox") return element.checked;
  if (field.kind === "choice") return element.querySelector("input:checked")?.value || "";
  return element.value;
}

function makeInput(field, id, describedBy) {
  const common = { id, "aria-describedby": describedBy };
  if (field.kind === "checkbox") return make("input", { type: "checkbox", ...common });
  if (field.kind === "select") {
    return make("select", common, ...field.choices.map((one) => make("option", { value: one.value }, one.label)));
  }
  if (field.kind === "choice") {
    const group = make("div", { class: "cnb-choices", role: "radiogroup", "aria-labelledby": `${id}-label`, ...common });
    for (const one of field.choices) {
      const radio = make("input", { type: "radio", name: id, value: one.value, id: `${id}-${one.value}` });
      const words = make("span", { id: `${id}-${one.value}-help`, class: "cnb-help" }, one.help);
      radio.setAttribute("aria-describedby", words.id);
      group.append(make("div", {}, make("label", { for: radio.id }, radio, make("strong", {}, one.label)), words));
    }
    return group;
  }
  const attributes = { type: "text", autocomplete: "off", spellcheck: "false", ...common };
  if (field.kind === "number") attributes.inputmode = "numeric";
  if (field.kind === "duration") attributes.placeholder = "such as 90s, 2m, 1h";
  return make("input", attributes);
}

/** The form: every field with its label, its help, and what is wrong with it. */
export function drawFields(model) {
  const place = make("div", { class: "cnb-fields" });
  const advanced = make("details", { class: "cnb-advanced" }, make("summary", {}, "More options"));
  const rows = [];
  const send = (field, element) => model.send({ do: "set", values: { [field.name]: valueOf(field, element) } });
  for (const field of model.get("fields")) {
    const id = uniqueId(`field-${field.name}`);
    const help = make("span", { class: "cnb-help", id: `${id}-help` }, field.help);
    const problem = make("span", { class: "cnb-problem", id: `${id}-problem` });
    const element = makeInput(field, id, `${id}-help ${id}-problem`);
    element.addEventListener("change", () => send(field, element));
    const label =
      field.kind === "choice"
        ? make("span", { class: "cnb-label", id: `${id}-label` }, field.label)
        : make("label", { class: "cnb-label", for: id }, field.label);
    const row = make("div", { class: `cnb-field cnb-${field.kind}` }, label, element, help, problem);
    rows.push({ field, element, problem, row });
    (field.advanced ? advanced : place).append(row);
  }
  if (advanced.children.length > 1) place.append(advanced);
  const draw = () => {
    const [values, problems] = [model.get("values"), model.get("problems")];
    for (const { field, element, problem, row } of rows) {
      row.hidden = !fieldShown(field, values);
      const value = values[field.name];
      if (field.kind === "checkbox") element.checked = Boolean(value);
      else if (field.kind === "choice") for (const one of element.querySelectorAll("input")) one.checked = one.value === value;
      else if (element.value !== String(value) && element.getRootNode().activeElement !== element) element.value = String(value);
      problem.textContent = problems[field.name] ? `⚠ ${problems[field.name]}` : "";
      element.setAttribute("aria-invalid", problems[field.name] ? "true" : "false");
      if (problems[field.name] && field.advanced) advanced.open = true;
    }
  };
  model.on("change:values change:problems", draw);
  draw();
  return { element: place, stop: () => model.off("change:values change:problems", draw) };
}

function list(lines) {
  return make("ul", { class: "cnb-lines" }, ...lines.map((line) => make("li", {}, line)));
}

/** The confirmation: what would be done, choices, the name to type, and both ways out. */
export function drawQuestion(model, { lines, question }, confirm, say) {
  const asked = make("div", { id: uniqueId("asked") }, make("p", { class: "cnb-asked" }, lines[0] || ""), list(lines.slice(1)));
  const box = make("div", { class: "cnb-confirm", role: "group", "aria-label": "Confirm" }, asked);
  for (const option of question.options) {
    const input = make("input", { type: "checkbox", "data-option": option.name });
    input.checked = option.value;
    input.addEventListener("change", () =>
      model.send({ do: "choose", name: option.name, value: input.checked, turn: model.get("turn") }),
    );
    box.append(make("p", {}, make("label", {}, input, option.label)));
  }
  let name = null;
  if (question.name) {
    name = make("input", { type: "text", autocomplete: "off", spellcheck: "false", class: "cnb-name" });
    const words = make("span", {}, "This is production. Type the name ", make("strong", {}, question.name), " to confirm:");
    box.append(make("p", {}, make("label", { class: "cnb-typed" }, words, name)));
  }
  const yes = make("button", { type: "button", class: "cnb-danger", "aria-describedby": asked.id }, question.confirm);
  // Whoever pressed Enter twice on the button before has not read this yet.
  yes.setAttribute("aria-disabled", "true");
  setTimeout(() => yes.setAttribute("aria-disabled", "false"), READING_MILLISECONDS);
  const act = () => {
    if (yes.getAttribute("aria-disabled") === "false") confirm(name ? name.value : null);
    else say("Nothing was done yet: read what it does, then confirm.");
  };
  yes.addEventListener("click", act);
  name?.addEventListener("keydown", (event) => {
    if (event.key === "Enter") act();
  });
  const no = make("button", { type: "button", onclick: () => model.send({ do: "cancel" }) }, "Cancel");
  const limit = make("span", { class: "cnb-help" }, `Withdrawn by itself after ${Math.round(question.seconds)} s without a key.`);
  box.append(make("div", { class: "cnb-row-of" }, yes, no, limit));
  return { element: box, focus: name || yes };
}

/** What is under way: a bar with numbers, and Stop. */
export function drawRunning(model) {
  const words = make("span", { class: "cnb-numbers" });
  const what = make("strong", {});
  const bar = make("progress", { "aria-label": "Progress" });
  const stop = make("button", { type: "button" }, "Stop");
  const help = make("p", { class: "cnb-help" });
  let asked = false;
  stop.addEventListener("click", () => {
    asked = true;
    model.send({ do: "stop", now: Boolean(model.get("progress").stopping), turn: model.get("turn") });
    draw();
  });
  const draw = () => {
    const progress = model.get("progress");
    what.textContent = progress.what || "";
    words.textContent = progressWords(progress);
    bar.setAttribute("aria-valuetext", words.textContent);
    if (progress.total) {
      bar.max = progress.total;
      bar.value = Math.min(progress.done, progress.total);
    } else bar.removeAttribute("value");
    stop.textContent = progress.stopping ? "End now" : "Stop";
    help.textContent = stopWords(asked, progress.stopping);
  };
  const element = make("div", { class: "cnb-running" }, what, bar, words, stop, help);
  return { element, focus: stop, draw };
}

/** What is being looked up, once it takes longer than a moment, and a way out. */
export function drawLooking(model) {
  const stop = make("button", { type: "button", onclick: () => model.send({ do: "stop", turn: model.get("turn") }) }, "Stop");
  const element = make("div", { class: "cnb-running", hidden: true }, make("span", {}, "Asking the service what it would do …"), stop);
  setTimeout(() => (element.hidden = false), READING_MILLISECONDS);
  return { element };
}

/** How it ended: counts in words, what did not end as asked, and what can be done with it. */
export function drawReport(model, report) {
  const head = make("p", { class: report.ok ? "cnb-ended cnb-good" : "cnb-ended cnb-warn" });
  head.textContent = report.ok ? "✓ Done" : "⚠ Done, but not for all";
  const box = make("div", { class: "cnb-report", role: "group", "aria-label": "Report" }, head, list(report.lines));
  if (report.rows.length) {
    const header = make("tr", {}, ...["Message", "Outcome", "Reason"].map((name) => make("th", { scope: "col" }, name)));
    const body = report.rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell))));
    const table = make("table", {}, make("caption", {}, "Not as asked"), make("thead", {}, header), make("tbody", {}, ...body));
    box.append(make("div", { class: "cnb-scroll", tabindex: "0", role: "region", "aria-label": "Not as asked" }, table));
    if (report.more) box.append(make("p", {}, `${report.more} more; result.frame() of the panel has them all.`));
  }
  const offers = report.offers.map((offer) =>
    make("button", { type: "button", onclick: () => model.send({ do: "offer", name: offer.name, turn: model.get("turn") }) }, offer.label),
  );
  if (offers.length) box.append(make("div", { class: "cnb-row-of" }, ...offers));
  return { element: box };
}

/** What was found out and nothing done. */
export function drawPlan(lines) {
  return { element: make("div", { class: "cnb-plan", role: "group", "aria-label": "Plan" }, list(lines)) };
}

/** The Python of the actions, asked for when it is opened. */
export function drawPython(model, say) {
  const box = make("details", { class: "cnb-python" }, make("summary", {}, "Python"));
  const select = make("select", { "aria-label": "Python of the action" });
  const text = make("pre", { tabindex: "0", "aria-label": "Python" });
  let script = "";
  let later = null;
  let stage = model.get("stage");
  const ask = () => {
    clearTimeout(later);
    if (box.open) later = setTimeout(() => model.send({ do: "code", action: select.value }), 150);
  };
  const options = () => {
    const hasEnded = model.get("stage") !== stage && ["done", "failed"].includes(model.get("stage"));
    const chosen = hasEnded ? "ran" : select.value;
    stage = model.get("stage");
    const names = model.get("actions").filter((one) => !one.plan).map((one) => [one.name, one.label]);
    if (["done", "failed"].includes(model.get("stage"))) names.push(["ran", "What was just done"]);
    select.replaceChildren(...names.map(([value, label]) => make("option", { value }, label)));
    select.value = names.some(([value]) => value === chosen) ? chosen : names[0]?.[0] || "";
    ask();
  };
  const listen = (message) => {
    if (message.tell !== "code" || message.action !== select.value) return;
    text.textContent = message.code || message.why;
    script = message.script;
  };
  const copy = async (what) => say((await copyText(what)) ? "Copied." : "The browser did not allow copying: select the text.");
  const one = make("button", { type: "button", onclick: () => copy(text.textContent) }, "Copy Python");
  const all = make("button", { type: "button", onclick: () => copy(script) }, "Copy as a whole script");
  box.append(make("div", { class: "cnb-row-of" }, select, one, all), text);
  box.addEventListener("toggle", ask);
  select.addEventListener("change", ask);
  model.on("change:actions change:stage change:values", options);
  model.on("msg:custom", listen);
  options();
  const stop = () => {
    clearTimeout(later);
    model.off("change:actions change:stage change:values", options);
    model.off("msg:custom", listen);
  };
  return { element: box, stop };
}
