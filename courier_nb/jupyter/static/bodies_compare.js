// Two messages side by side: differences by symbol and word, equal parts folded.

/** Return the comparison that Python made. */
export function makeComparison({ sides, parts }) {
  const place = make("div", { class: "cnb-body-comparison" });
  for (const part of parts) {
    place.append(make("h4", {}, `${part.name}: ${differenceWords(part.differences)}`));
    if (part.words) place.append(make("p", { class: "cnb-body-soft" }, part.words));
    if (part.rows.length) place.append(makePart(part, sides));
  }
  return place;
}

function makePart(part, sides) {
  const heads = ["difference", "where", ...sides].map((head) => make("th", { scope: "col" }, head));
  const rows = foldRows(part.rows).map((row) => (row.mark === "=" ? makeFold(row) : makeDifference(row)));
  const table = make("table", { class: "cnb-body-table cnb-body-differences" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
  return make("div", { tabindex: "0", role: "group", "aria-label": `${part.name} compared`, class: "cnb-body-scrolls" }, table);
}

function makeDifference({ mark, where, left, right }) {
  const side = (text, isMissing) => make("td", {}, isMissing ? make("span", { class: "cnb-body-soft" }, "(not there)") : make("pre", {}, text));
  return make(
    "tr",
    { class: `cnb-body-${MARK_WORDS[mark]}` },
    make("td", {}, make("span", { class: "cnb-body-mark" }, mark), ` ${MARK_WORDS[mark]}`),
    make("th", { scope: "row" }, where),
    side(left, mark === "+"),
    side(right, mark === "−"),
  );
}

function makeFold({ count, rows }) {
  if (!rows.some(({ left }) => left)) {
    const words = rows.map(({ where }) => where).join(", ");
    return make("tr", { class: "cnb-body-fold" }, make("td", { colspan: "4" }, `= ${words} the same`));
  }
  const summary = make("summary", {}, `= ${count.toLocaleString("en")} the same`);
  const lines = rows.map(({ where, left }) => `${where}${left ? `: ${left.includes("\n") ? "\n" : ""}${left}` : ""}`);
  return make("tr", { class: "cnb-body-fold" }, make("td", { colspan: "4" }, make("details", {}, summary, make("pre", {}, lines.join("\n")))));
}
