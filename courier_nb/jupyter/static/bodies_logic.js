// What the body viewer decides without a page: the rows of a JSON tree, keys, paths, folds, line ends.

export const CHUNK = 200;
export const MOST_OPEN = 5000;

/** A node as Python sends it: [depth, kind, key, text, count, isCut], in the order of the document. */
const [DEPTH, KIND, KEY, , COUNT, IS_CUT] = [0, 1, 2, 3, 4, 5];

/** Return for each node its parent, its place among its siblings, and where its subtree ends. */
export function indexTree(nodes) {
  const parents = [];
  const places = [];
  const ends = new Array(nodes.length).fill(nodes.length);
  const around = [];
  nodes.forEach((node, at) => {
    while (around.length > node[DEPTH]) ends[around.pop().at] = at;
    const parent = around.at(-1);
    parents.push(parent ? parent.at : -1);
    places.push(parent ? parent.members++ : 0);
    around.push({ at, members: 0 });
  });
  return { nodes, parents, places, ends };
}

export function isContainer(node) {
  return node[KIND] === "object" || node[KIND] === "array";
}

/** Return the members of a node, in order. */
export function membersOf(tree, at) {
  const found = [];
  for (let next = at + 1; next < tree.ends[at]; next = tree.ends[next]) found.push(next);
  return found;
}

/** Return which nodes are open at first: as many levels as are seen at a glance. */
export function firstOpen(tree) {
  const open = new Set();
  let seen = 1;
  let level = tree.nodes.length ? [0] : [];
  while (level.length) {
    const containers = level.filter((at) => isContainer(tree.nodes[at]));
    const added = containers.reduce((sum, at) => sum + Math.min(tree.nodes[at][COUNT], CHUNK), 0);
    if (open.size && seen + added > 60) break;
    for (const at of containers) open.add(at);
    seen += added;
    level = seen > 60 ? [] : containers.flatMap((at) => membersOf(tree, at).slice(0, CHUNK));
  }
  return open;
}

/** Return all nodes that can be opened without showing more than `MOST_OPEN` rows, and whether these are all. */
export function allOpen(tree) {
  const open = new Set();
  let seen = 1;
  for (let at = 0; at < tree.nodes.length; at++) {
    if (!isContainer(tree.nodes[at])) continue;
    seen += Math.min(tree.nodes[at][COUNT], CHUNK);
    if (seen > MOST_OPEN) return { open, isAll: false };
    open.add(at);
  }
  return { open, isAll: true };
}

/** Return the rows to show: {at} for a node, {more: at, hidden} where an open one has more members than are shown. */
export function visibleRows(tree, open, limits) {
  if (!tree.nodes.length) return [];
  const rows = [];
  const waiting = [{ at: 0 }];
  while (waiting.length) {
    const row = waiting.pop();
    rows.push(row);
    if (row.more !== undefined || !open.has(row.at)) continue;
    const members = membersOf(tree, row.at);
    const limit = limits.get(row.at) || CHUNK;
    if (members.length > limit) waiting.push({ more: row.at, hidden: members.length - limit });
    for (const member of members.slice(0, limit).reverse()) waiting.push({ at: member });
  }
  return rows;
}

/** Return what a key does on a tree: {focus}, {open}, {close} or {more}; null when it is not the tree's. */
export function treeKey(key, rows, index, tree, open) {
  const row = rows[index];
  const isMore = row.more !== undefined;
  const canOpen = !isMore && isContainer(tree.nodes[row.at]) && tree.nodes[row.at][COUNT] > 0;
  const isOpen = canOpen && open.has(row.at);
  const parent = isMore ? row.more : tree.parents[row.at];
  if (key === "ArrowDown") return { focus: Math.min(index + 1, rows.length - 1) };
  if (key === "ArrowUp") return { focus: Math.max(index - 1, 0) };
  if (key === "Home") return { focus: 0 };
  if (key === "End") return { focus: rows.length - 1 };
  if (key === "ArrowRight") return canOpen && !isOpen ? { open: row.at } : { focus: isOpen ? index + 1 : index };
  if (key === "ArrowLeft") {
    if (isOpen) return { close: row.at };
    return { focus: parent < 0 ? index : rows.findIndex((other) => other.at === parent) };
  }
  if (key === "Enter" || key === " ") {
    if (isMore) return { more: row.more };
    return isOpen ? { close: row.at } : canOpen ? { open: row.at } : { focus: index };
  }
  return null;
}

/** Return the JSONPath of a node; a key that Python has shortened cannot be named. */
export function pathOf(tree, at) {
  const steps = [];
  for (let here = at; tree.parents[here] >= 0; here = tree.parents[here]) {
    const key = tree.nodes[here][KEY];
    if (key === null) steps.push(`[${tree.places[here]}]`);
    else steps.push(/^"[A-Za-z_]\w*"$/.test(key) ? `.${key.slice(1, -1)}` : `[${key}]`);
  }
  return `$${steps.reverse().join("")}`;
}

/** Return how many members a node has, in words. */
export function countWords(node) {
  const unit = node[KIND] === "object" ? "field" : "item";
  const words = `${node[COUNT].toLocaleString("en")} ${unit}${node[COUNT] === 1 ? "" : "s"}`;
  return node[IS_CUT] ? `${words} read so far` : words;
}

/** Join neighbouring rows that are the same into folds: {mark: "=", count, rows}; others stay as {mark, where, left, right}. */
export function foldRows(rows) {
  const folded = [];
  for (const [mark, where, left, right, count] of rows) {
    const row = { mark, where, left, right, count };
    if (mark !== "=") folded.push(row);
    else if (folded.at(-1)?.mark === "=") {
      folded.at(-1).rows.push(row);
      folded.at(-1).count += count;
    } else folded.push({ mark, count, rows: [row] });
  }
  return folded;
}

export const MARK_WORDS = { "+": "new", "−": "missing", "≠": "changed" };

/** Return a number of differences in words. */
export function differenceWords(count) {
  return count === 0 ? "no differences" : count === 1 ? "1 difference" : `${count.toLocaleString("en")} differences`;
}

/** Return the line ends of a text: "\r\n", "\n" or "mixed". A text field knows only "\n". */
export function lineEnds(text) {
  const both = (text.match(/\r\n/g) || []).length;
  const returns = (text.match(/\r/g) || []).length;
  const feeds = (text.match(/\n/g) || []).length;
  if (!returns) return "\n";
  return both === returns && both === feeds ? "\r\n" : "mixed";
}

/** Return a text field's text with the line ends that it came with. */
export function withLineEnds(text, ends) {
  return ends === "\r\n" ? text.replaceAll("\n", "\r\n") : text;
}

/** Return the place in a text field of a place in the text it came from. */
export function placeInField(text, position) {
  return text.slice(0, position).replaceAll("\r\n", "\n").length;
}
