// The picker: a text field with a list of what fits (a combobox), and below it what is picked.

const LOOK_EVERY_MS = 1000;
const SEEN_EVERY_MS = 15_000;
const SEEN_SOON_MS = 3000; // while rows in sight were never read
const HEADS = ["Name", "Kind", "Waiting", "In flight", "Dead letters"];
const MEMORY_HEADS = ["Name", "", "", "", "Last used"];
const SORTS = [["dead letters", "Dead letters first"], ["depth", "Deepest first"], ["name", "By name"]];

/** What the kernel has told, kept for all views of the widget. */
function makeStore() {
  const store = { rows: [], counts: new Map(), isWhole: false, mayCount: false, hasList: false };
  store.take = (message) => {
    if (message.tell === "list") {
      Object.assign(store, { rows: message.rows, isWhole: message.isWhole, mayCount: message.mayCount, hasList: true });
      store.byName = new Map(message.rows.map((row) => [row.name, row]));
    } else if (message.tell === "counts") {
      for (const [name, [messages, inFlight, age]] of Object.entries(message.of)) {
        store.counts.set(name, { messages, inFlight, at: performance.now() - age * 1000 });
      }
    }
  };
  store.row = (name) => store.byName?.get(name);
  return store;
}

/** Return the label and the cells of a row. */
function describeRow(row, store) {
  const cell = (text, names = "") => make("span", { class: names }, text);
  if (row.isTyped) {
    const words = store.isWhole ? "not in the list" : "as typed";
    const label = `Use the name “${row.name}”, ${words}`;
    return { label, cells: [cell(row.name, "cnb-pick-name"), cell(`use this name, ${words}`, "cnb-pick-soft")] };
  }
  const count = store.counts.get(row.name);
  const used = row.usedSecondsAgo === undefined ? "" : `used ${spanInWords(row.usedSecondsAgo)}`;
  const note = [used, linksInWords(row)].filter(Boolean).join("; ");
  const age = count ? (performance.now() - count.at) / 1000 : 0;
  const lag = age >= 90 ? `, read ${spanInWords(age)}` : "";
  const hasCount = row.kind !== "exchange" && (store.mayCount || count);
  const words = hasCount ? `${countInWords(row, count)}${lag}` : "";
  const number = (value) => (hasCount ? (count?.messages == null ? "?" : value.toLocaleString("en-US")) : "");
  return {
    label: [row.name, kindInWords(row), words, note].filter(Boolean).join(", "),
    cells: [
      cell(row.name, "cnb-pick-name"),
      cell(row.kind || row.deadLettersOf ? kindInWords(row) : ""),
      cell(number(count?.messages), `cnb-pick-number ${count?.messages ? "cnb-pick-some" : "cnb-pick-soft"}`),
      cell(number(count?.inFlight), "cnb-pick-number cnb-pick-soft"),
      cell(note, "cnb-pick-soft"),
    ],
  };
}

/** Tell the kernel now and then what somebody can see, so that it reads no counts for nobody. */
function keepTelling(model, root, inSight, onLook) {
  let isOnScreen = false;
  let told = 0;
  const watcher = new IntersectionObserver((entries) => {
    isOnScreen = entries.at(-1).isIntersecting;
  });
  watcher.observe(root);
  const look = () => {
    if (!isOnScreen || document.visibilityState !== "visible") return;
    onLook();
    const { names, isOpen, hasUnread } = inSight();
    const now = performance.now();
    if (now - told < (hasUnread ? SEEN_SOON_MS : SEEN_EVERY_MS)) return;
    told = now;
    model.send({ do: "seen", names, open: isOpen });
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
    watcher.disconnect();
  };
}

function renderPicker(model, el, store) {
  const listPlace = make("div");
  const status = announcer();
  const error = errorPlace(model);
  const card = makeCard(pickName);
  const note = make("div", { class: "cnb-pick-note", role: "status" });
  const summary = make("span", { class: "cnb-pick-soft" });
  const lag = make("span", { class: "cnb-pick-soft" });
  const list = makeOptionList({ describe: (row) => describeRow(row, store), onPick: pick, onScroll: () => showLag() });
  const input = make("input", {
    type: "text", role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-label": "Destination",
    placeholder: "Type parts of a name", autocomplete: "off", spellcheck: "false",
  });
  const toggle = make("button", { type: "button", "aria-controls": list.id, onclick: () => setOpen(!isOpen) });
  const refresh = make("button", { type: "button", onclick: () => model.send({ do: "refresh" }) }, "Refresh");
  const sort = make("select", { "aria-label": "Order" }, ...SORTS.map(([value, words]) => make("option", { value }, words)));
  const columns = make(
    "div", { class: "cnb-pick-columns", "aria-hidden": "true" },
    ...HEADS.map((word, i) => make("span", { class: i === 2 || i === 3 ? "cnb-pick-number" : undefined }, word)),
  );
  listPlace.append(columns, list.element);
  const head = make("div", { class: "cnb-row-of cnb-pick-head" }, input, toggle, sort, refresh);
  const words = make("div", { class: "cnb-row-of" }, summary, lag);
  const root = make("div", { class: "cnb cnb-pick" }, head, card.element, listPlace, words, note, status.element, error.element);
  let isOpen = false;
  let sorted = [];
  let isPointed = false;
  let mustSort = false;

  const picked = () => model.get("_picked") ?? {};

  function showLag() {
    lag.textContent = store.mayCount && isOpen ? lagInWords(store.rows, list.inSight(), store.counts, performance.now()) : "";
  }

  function showCard() {
    const name = picked().name;
    const { isWhole, mayCount } = store;
    card.show({ picked: picked(), row: store.row(name), count: store.counts.get(name), isWhole, mayCount, now: performance.now() });
  }

  /** Sort again, but never under the pointer: a row that moves away would let another be picked. */
  function sortAgain(force = false) {
    mustSort = !force && (isPointed || document.activeElement === input);
    if (!mustSort) sorted = sortedRows(store.rows, store.counts, model.get("sort"), store.isWhole);
  }

  function showRows(isNewQuery = false) {
    const found = offers(sorted, input.value, store.isWhole);
    listPlace.hidden = !isOpen || !found.length; // before it is drawn: what is hidden has no height
    list.show(found, picked().name, isNewQuery ? (input.value.trim() ? 0 : -1) : undefined);
    if (isNewQuery && input.value.trim()) {
      const fitting = found.filter((row) => !row.isTyped).length;
      status.say(`${fitting.toLocaleString("en-US")} of ${store.rows.length.toLocaleString("en-US")} fit`);
    }
    showActive();
    showLag();
  }

  function showActive() {
    const isShown = isOpen && list.size > 0;
    listPlace.hidden = !isShown;
    toggle.hidden = !store.rows.length;
    input.setAttribute("aria-expanded", String(isShown));
    if (isOpen && list.activeId) input.setAttribute("aria-activedescendant", list.activeId);
    else input.removeAttribute("aria-activedescendant");
  }

  function setOpen(value) {
    isOpen = value;
    isPointed = isPointed && isOpen; // nobody leaves what is hidden
    toggle.setAttribute("aria-expanded", String(isOpen));
    toggle.textContent = isOpen ? "Hide the list" : "Show the list";
    if (isOpen) {
      sortAgain(true);
      showRows();
    }
    showActive();
    showLag();
  }

  function pickName(name) {
    status.say(name === picked().name ? `Picked ${name}` : `Picking ${name} …`);
    model.send({ do: "pick", name });
    input.value = "";
    setOpen(false);
    input.focus();
  }

  function pick(row) {
    pickName(row.name);
  }

  function enter() {
    if (isOpen && list.active) pick(list.active);
    else if (input.value.trim()) pickName(input.value.trim());
    else setOpen(true);
  }

  function leave() {
    if (!isOpen && !input.value) return false;
    input.value = "";
    status.say("");
    setOpen(false);
    return true;
  }

  const moves = {
    ArrowDown: () => list.step(1), ArrowUp: () => list.step(-1), PageDown: () => list.step(list.page),
    PageUp: () => list.step(-list.page), Home: () => list.move(0), End: () => list.move(list.size - 1),
  };

  input.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (move && !event.shiftKey && !event.ctrlKey && !event.metaKey) {
      if (!isOpen && !event.key.startsWith("Arrow")) return;
      event.preventDefault();
      if (!isOpen) setOpen(true);
      else if (list.size) move();
      showActive();
    } else if (event.key === "Enter") {
      event.preventDefault();
      enter();
    } else if (event.key === "Escape" && leave()) {
      event.preventDefault();
      event.stopPropagation();
    }
  });
  input.addEventListener("input", () => {
    if (!isOpen) setOpen(true);
    showRows(true);
  });
  input.addEventListener("click", () => isOpen || setOpen(true));
  sort.addEventListener("change", () => {
    model.set("sort", sort.value);
    model.save_changes();
  });
  list.element.addEventListener("pointerenter", () => { isPointed = true; });
  list.element.addEventListener("pointerleave", () => {
    isPointed = false;
    if (mustSort && document.activeElement !== input) redraw();
  });
  input.addEventListener("blur", () => mustSort && !isPointed && redraw());

  function redraw(force = false) {
    const isMemory = store.hasList && !store.isWhole && !store.mayCount;
    [...columns.children].forEach((head, i) => { head.textContent = (isMemory ? MEMORY_HEADS : HEADS)[i]; });
    sort.hidden = isMemory; // the name used last comes first, and there is nothing else to go by
    sortAgain(force || sorted.length === 0);
    showRows();
    showCard();
  }

  function showWords() {
    summary.textContent = `${model.get("summary")}.`.replace(/([….])\.$/, "$1");
    note.textContent = model.get("note");
    note.hidden = !note.textContent;
  }

  function take(message) {
    store.take(message);
    if (message.tell === "list" || message.tell === "counts") redraw(message.tell === "list");
  }

  const onPicked = () => {
    const name = picked().name;
    if (name) status.say(`Picked ${name}: ${kindInWords(store.row(name) ?? {})}`);
    redraw();
    if (name && !input.value) setOpen(false);
  };
  const onSort = () => {
    sort.value = model.get("sort");
    redraw(true);
  };
  model.on("msg:custom", take);
  model.on("change:_picked", onPicked);
  model.on("change:sort", onSort);
  model.on("change:summary change:note", showWords);
  sort.value = model.get("sort");
  el.append(root);
  const release = keepKeys(root);
  showWords();
  setOpen(!picked().name);
  redraw(true);
  model.send({ do: "show" });
  const quiet = keepTelling(model, root, () => {
    const rows = [store.row(picked().name) ?? picked(), ...(isOpen ? list.inSight() : [])];
    const names = rows.filter((row) => row.name && row.kind !== "exchange" && !row.isTyped).map((row) => row.name);
    return { names, isOpen, hasUnread: store.mayCount && names.some((name) => !store.counts.has(name)) };
  }, () => {
    showLag();
    showCard();
  });
  return () => {
    quiet();
    release();
    error.stop();
    list.stop();
    model.off("msg:custom", take);
    model.off("change:_picked", onPicked);
    model.off("change:sort", onSort);
    model.off("change:summary change:note", showWords);
  };
}

export default () => {
  const store = makeStore();
  return { render: ({ model, el }) => renderPicker(model, el, store) };
};
