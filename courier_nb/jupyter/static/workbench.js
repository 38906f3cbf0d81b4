// The workbench: the mode that the connection is in, the parts, and the tabs with what can be done.

/** Return what is always said about the connection: a list of [words, kind of badge]. */
export function modeBadges(mode) {
  const badges = [];
  if (mode.production === true) badges.push(["PRODUCTION: a destination's name must be typed", "bad"]);
  else if (mode.production === false) badges.push(["not production", "good"]);
  else badges.push([mode.production_note || "production: not known", "warn"]);
  if (mode.read_only) badges.push(["READ ONLY: nothing is added or deleted", "warn"]);
  else badges.push(["may write", "good"]);
  return badges;
}

/** Return the tab that a key leads to; the same one when the key is none of ours. */
export function tabAfter(names, current, key) {
  const at = names.indexOf(current);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[key];
  return to === undefined ? current : names[(to + names.length) % names.length];
}

function drawHeader(model) {
  const place = make("div", { class: "cnb-mode", role: "group", "aria-label": "Connection" });
  const draw = () => {
    const mode = model.get("mode");
    place.replaceChildren(make("strong", {}, mode.connection || "not connected"));
    for (const [words, kind] of modeBadges(mode)) place.append(make("span", { class: `cnb-badge cnb-${kind}` }, words));
    const held = model.get("held");
    if (held) place.append(make("span", { class: "cnb-badge cnb-warn", title: "Their locks are extended, in billed calls. Settle them, or Release all." }, held));
    const busy = model.get("busy");
    place.append(make("span", { class: "cnb-busy", role: "status" }, busy ? `Under way: ${busy}` : ""));
  };
  model.on("change:mode change:busy change:held", draw);
  draw();
  return { element: place, stop: () => model.off("change:mode change:busy change:held", draw) };
}

function drawScript(model) {
  const text = make("pre", { class: "cnb-script", tabindex: "0", "aria-label": "Python of all actions" });
  const status = announcer();
  const copy = make("button", { type: "button", onclick: async () => status.say((await copyText(text.textContent)) ? "Copied." : "The browser did not allow copying: select the text and copy it.") }, "Copy Python of all actions");
  const listen = (message) => {
    if (message.tell === "script") text.textContent = message.text;
  };
  const ask = () => model.send({ do: "script" });
  model.on("msg:custom", listen);
  model.on("change:steps", ask);
  ask();
  const intro = make("p", {}, "Every action of this workbench as a script. Run as a program, it does the same again.");
  const stop = () => {
    model.off("msg:custom", listen);
    model.off("change:steps", ask);
  };
  return { element: make("div", {}, intro, make("div", { class: "cnb-row-of" }, copy, status.element), text), stop };
}

function drawTabs(model, panels) {
  const names = Object.keys(panels);
  const group = uniqueId("tabs");
  const list = make("div", { role: "tablist", "aria-label": "Actions", class: "cnb-tabs" });
  const buttons = {};
  const choose = (name, focus) => {
    model.set("tab", name);
    model.save_changes();
    if (focus) buttons[name].focus();
  };
  names.forEach((name, i) => {
    const panelId = `${group}-${i}`;
    const button = make("button", { type: "button", role: "tab", id: `${panelId}-tab`, "aria-controls": panelId }, name);
    button.addEventListener("click", () => choose(name, false));
    button.addEventListener("keydown", (event) => {
      const next = tabAfter(names, name, event.key);
      if (next === name) return;
      event.preventDefault();
      choose(next, true);
    });
    buttons[name] = button;
    Object.assign(panels[name], { id: panelId });
    panels[name].setAttribute("role", "tabpanel");
    panels[name].setAttribute("aria-labelledby", `${panelId}-tab`);
    list.append(button);
  });
  const draw = () => {
    const chosen = names.includes(model.get("tab")) ? model.get("tab") : names[0];
    for (const name of names) {
      buttons[name].setAttribute("aria-selected", String(name === chosen));
      buttons[name].tabIndex = name === chosen ? 0 : -1;
      panels[name].hidden = name !== chosen;
    }
  };
  model.on("change:tab", draw);
  draw();
  return { element: make("div", {}, list, ...Object.values(panels)), stop: () => model.off("change:tab", draw) };
}

const DEAD =
  "The kernel behind this workbench has ended or was restarted: nothing here acts any more, and the times left of locks are no longer " +
  "true. What was held goes back to its queue, at the latest when its lock ends. Run the cell again.";

/** Say when the kernel is gone: the page looks as before, its clocks go on, and every click would be lost. */
function drawDead(part, acting) {
  const place = make("div", { role: "alert", class: "cnb-error" });
  const draw = () => {
    place.textContent = part.comm_live ? "" : DEAD;
    place.hidden = part.comm_live;
    for (const element of acting) element.inert = !part.comm_live;
  };
  part.on("comm_live_update", draw);
  draw();
  return { element: place, stop: () => part.off("comm_live_update", draw) };
}

async function render({ model, el }) {
  const views = [];
  const parts = model.get("_parts");
  const place = async (name) => {
    const child = await model.widget_manager.get_model(parts[name].replace("IPY_MODEL_", ""));
    const view = await model.widget_manager.create_view(child);
    views.push(view);
    return view.el;
  };
  el.classList.add("cnb", "cnb-workbench");
  const header = drawHeader(model);
  const script = drawScript(model);
  const panels = {};
  for (const name of model.get("_tabs")) panels[name] = make("div", {}, await place(name));
  panels.Python = make("div", {}, script.element);
  const tabs = drawTabs(model, panels);
  const errors = errorPlace(model);
  const table = make("div", { class: "cnb-part" }, await place("browser"));
  const body = make("div", { class: "cnb-part" }, await place("viewer"));
  const picker = make("div", { class: "cnb-part" }, await place("picker"));
  const acting = model.get("_tabs").map((name) => panels[name]);
  const dead = drawDead(views[0].model, [picker, ...acting]); // of a part: anywidget hides this of the workbench's own model
  el.append(
    header.element,
    dead.element,
    errors.element,
    picker,
    make("div", { class: "cnb-part" }, tabs.element),
    make("div", { class: "cnb-messages" }, table, body),
  );
  const loseKeys = keepKeys(el);
  return () => {
    loseKeys();
    for (const part of [header, dead, script, tabs, errors]) part.stop();
    for (const view of views) view.remove();
  };
}

export default { render };
