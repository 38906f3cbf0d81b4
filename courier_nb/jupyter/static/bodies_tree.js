// A JSON document as a tree. Rows are flat with a level each, so that no depth is too deep for the page.

const DEEPEST_INDENT = 40;

/** Return a tree of nodes, and what its buttons do. */
export function makeTree(nodes, { say }) {
  const tree = indexTree(nodes);
  const limits = new Map();
  const made = new Map();
  let open = firstOpen(tree);
  let rows = [];
  let focused = 0;

  const place = make("div", { role: "tree", "aria-label": "Body as JSON tree", class: "cnb-body-tree", onkeydown: onKey, onclick: onClick });
  const path = make("code", { class: "cnb-body-path" }, "$");

  function keyOf(row) {
    return row.more === undefined ? row.at : `more ${row.more}`;
  }

  function makeRow(row) {
    const item = make("div", { role: "treeitem", tabindex: "-1", class: "cnb-body-tree-row" });
    const level = row.more === undefined ? nodes[row.at][0] : nodes[row.more][0] + 1;
    item.setAttribute("aria-level", level + 1);
    item.style.paddingInlineStart = `${6 + 16 * Math.min(level, DEEPEST_INDENT)}px`;
    if (row.more !== undefined) {
      item.classList.add("cnb-body-tree-more");
      return item;
    }
    const [, kind, key, text, count, isCut] = nodes[row.at];
    const siblings = tree.parents[row.at] < 0 ? 1 : nodes[tree.parents[row.at]][4];
    item.setAttribute("aria-posinset", tree.places[row.at] + 1);
    item.setAttribute("aria-setsize", siblings);
    item.append(make("span", { class: "cnb-body-tree-mark", "aria-hidden": "true" }));
    const name = key === null ? (tree.parents[row.at] < 0 ? null : String(tree.places[row.at])) : key;
    if (name !== null) item.append(make("span", { class: key === null ? "cnb-body-soft" : "cnb-body-tree-key" }, name), ": ");
    if (kind === "object" || kind === "array") {
      const [first, last] = kind === "object" ? "{}" : "[]";
      const words = count || isCut ? ` ${countWords(nodes[row.at])} ` : "";
      item.append(first, make("span", { class: "cnb-body-soft" }, words), last);
    } else item.append(make("span", { class: `cnb-body-tree-${kind}` }, text));
    return item;
  }

  function draw() {
    rows = visibleRows(tree, open, limits);
    focused = Math.min(focused, rows.length - 1);
    const items = rows.map((row) => {
      const key = keyOf(row);
      if (!made.has(key)) made.set(key, makeRow(row));
      const item = made.get(key);
      if (row.more !== undefined) {
        item.textContent = `Show ${Math.min(CHUNK, row.hidden).toLocaleString("en")} more of ${row.hidden.toLocaleString("en")}`;
      } else if (isContainer(nodes[row.at]) && nodes[row.at][4]) {
        item.setAttribute("aria-expanded", String(open.has(row.at)));
        item.firstChild.textContent = open.has(row.at) ? "▾" : "▸";
      }
      return item;
    });
    place.replaceChildren(...items);
    point(focused, false);
  }

  function point(index, moves = true) {
    made.get(keyOf(rows[focused]))?.setAttribute("tabindex", "-1");
    focused = index;
    const item = made.get(keyOf(rows[index]));
    item.setAttribute("tabindex", "0");
    path.textContent = pathOf(tree, rows[index].more ?? rows[index].at);
    if (moves) item.focus();
  }

  function act(done) {
    if (done.focus !== undefined) return point(done.focus);
    const key = rows[focused].more === undefined ? rows[focused].at : null;
    if (done.open !== undefined) open.add(done.open);
    if (done.close !== undefined) open.delete(done.close);
    if (done.more !== undefined) limits.set(done.more, (limits.get(done.more) || CHUNK) + CHUNK);
    draw();
    const index = key === null ? focused : rows.findIndex((row) => row.at === key);
    point(Math.max(0, index));
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const done = treeKey(event.key, rows, focused, tree, open);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
    act(done);
  }

  function onClick(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item) return;
    const index = rows.findIndex((row) => made.get(keyOf(row)) === item);
    const wasSelected = String(globalThis.getSelection?.() || "");
    point(index);
    if (!wasSelected) act(treeKey("Enter", rows, index, tree, open));
  }

  function setAll(isOpen) {
    const all = isOpen ? allOpen(tree) : { open: new Set([0]), isAll: true };
    open = all.open;
    draw();
    say(!isOpen ? "Closed below the first level" : all.isAll ? "All open" : "Not all are open: open the others one by one");
  }

  async function copyPath() {
    say((await copyText(path.textContent)) ? `Copied ${path.textContent}` : "The page may not use the clipboard");
  }

  const tools = make(
    "div",
    { class: "cnb-row-of cnb-body-tree-tools" },
    make("button", { type: "button", onclick: () => setAll(true) }, "Open all"),
    make("button", { type: "button", onclick: () => setAll(false) }, "Close all"),
    path,
    make("button", { type: "button", onclick: copyPath }, "Copy path"),
  );
  draw();
  return make("div", {}, tools, place);
}
