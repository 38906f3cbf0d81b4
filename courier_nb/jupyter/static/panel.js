// An action panel: form, buttons, and what becomes of a click. Every click carries the turn that it saw.

function drawActions(model, act) {
  const place = make("div", { class: "cnb-row-of cnb-actions" });
  const reasons = make("div", { class: "cnb-reasons", id: uniqueId("reasons") });
  const buttons = new Map();
  const draw = () => {
    const actions = model.get("actions");
    for (const action of actions) {
      let button = buttons.get(action.name);
      if (!button) {
        button = make("button", { type: "button", "data-action": action.name, onclick: () => act(action.name) });
        if (action.style) button.classList.add(`cnb-${action.style}`);
        buttons.set(action.name, button);
        place.append(button);
      }
      button.textContent = action.label;
      // Not the attribute disabled: whoever comes by keyboard is to find the button, and hear why.
      button.setAttribute("aria-disabled", action.reason ? "true" : "false");
      button.title = action.reason;
      if (action.reason) button.setAttribute("aria-describedby", reasons.id);
      else button.removeAttribute("aria-describedby");
    }
    reasons.replaceChildren(...reasonLines(actions).map((line) => make("p", {}, line)));
  };
  model.on("change:actions", draw);
  draw();
  const stop = () => model.off("change:actions", draw);
  return { elements: [place, reasons], buttons, stop };
}

function drawNotes(model) {
  const place = make("ul", { class: "cnb-lines cnb-notes", "aria-label": "Worth knowing" });
  const draw = () => {
    place.replaceChildren(...model.get("notes").map((note) => make("li", {}, note)));
    place.hidden = !model.get("notes").length;
  };
  model.on("change:notes", draw);
  draw();
  return { element: place, stop: () => model.off("change:notes", draw) };
}

function render({ model, el }) {
  const root = make("div", { class: "cnb cnb-panel", role: "region", "aria-label": model.get("title") });
  const heading = make("div", { class: "cnb-heading" });
  const status = announcer();
  const area = make("div", { class: "cnb-stage" });
  let clicked = null; // the action that was clicked in this view: here the focus goes with it
  let waiting = null;

  const heard = () => {
    clearTimeout(waiting);
    waiting = null;
  };
  const wait = () => {
    heard();
    waiting = setTimeout(() => status.say("Waiting for the kernel: it is busy with something else."), 1000);
  };
  const act = (name) => {
    const action = model.get("actions").find((one) => one.name === name);
    if (action.reason) return status.say(`Nothing was done: ${action.reason}`);
    if (waiting !== null) return status.say("The click before is still on its way; this one does nothing.");
    clicked = name;
    wait();
    return model.send({ do: "act", action: name, turn: model.get("turn") });
  };
  const confirm = (name) => {
    if (waiting !== null) return;
    wait();
    model.send({ do: "confirm", name, turn: model.get("turn") });
  };

  const notes = drawNotes(model);
  const fields = drawFields(model);
  const actions = drawActions(model, act);
  const python = drawPython(model, status.say);
  const error = errorPlace(model);

  let running = null;
  const drawStage = () => {
    const stage = model.get("stage");
    const active = root.getRootNode().activeElement;
    const had = area.contains(active);
    const isHere = had || (clicked !== null && (root.contains(active) || active === document.body));
    const typed = area.querySelector(".cnb-name")?.value;
    const option = active?.dataset?.option;
    running = null;
    let part = null;
    if (stage === "looking") part = drawLooking(model);
    if (stage === "planned") part = drawPlan(model.get("lines"));
    const asked = { lines: model.get("lines"), question: model.get("question") };
    if (stage === "armed") part = drawQuestion(model, asked, confirm, status.say);
    if (stage === "running") {
      part = running = drawRunning(model);
      running.draw();
    }
    if (stage === "done") part = drawReport(model, model.get("report"));
    area.replaceChildren(...(part ? [part.element] : []));
    const name = area.querySelector(".cnb-name");
    if (name && typed) name.value = typed;
    const again = had && option ? area.querySelector(`[data-option="${option}"]`) : null;
    if (again) again.focus();
    else if (part?.focus && isHere) part.focus.focus();
    else if (had) (actions.buttons.get(clicked) || actions.buttons.values().next().value).focus();
    if (had && stage === "idle") clicked = null;
    if (["done", "failed", "planned"].includes(stage)) clicked = null;
    root.dataset.stage = stage;
  };
  const drawHeading = () => {
    const where = model.get("destination");
    heading.replaceChildren(make("strong", {}, model.get("title")), where ? ` · ${where}` : " · no destination picked");
  };
  const drawProgress = () => running?.draw();
  const drawSaid = () => {
    heard();
    status.say(model.get("said"));
  };
  const listen = (message) => {
    if (message.tell === "heard") heard();
  };
  const listeners = {
    "change:stage change:lines change:question change:report": drawStage,
    "change:destination change:title": drawHeading,
    "change:progress": drawProgress,
    "change:said": drawSaid,
    "msg:custom": listen,
  };
  for (const [names, listener] of Object.entries(listeners)) model.on(names, listener);

  const form = [heading, notes.element, fields.element, ...actions.elements];
  root.append(...form, status.element, area, error.element, python.element);
  const release = keepKeys(root);
  let stayed = 0;
  root.addEventListener("keydown", (event) => {
    // A key that is held down must not run through button, confirmation and Stop.
    if (event.repeat && ["Enter", " "].includes(event.key) && event.target.tagName === "BUTTON") event.preventDefault();
    if (model.get("stage") !== "armed") return;
    if (event.key === "Escape") model.send({ do: "cancel" });
    else if (Date.now() - stayed > 2000) {
      stayed = Date.now();
      model.send({ do: "stay" }); // whoever is at the keyboard has not gone away
    }
  });
  el.append(root);
  drawHeading();
  drawStage();
  drawSaid();
  return () => {
    heard();
    release();
    for (const [names, listener] of Object.entries(listeners)) model.off(names, listener);
    for (const part of [notes, fields, actions, python, error]) part.stop();
  };
}

export default { render };
