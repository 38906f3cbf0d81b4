// Which destinations are shown, in which order, and in which words. Pure: no element is touched here.

const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** Return how many messages wait, by what is known: -1 where it was not read, -2 where there is nothing to read. */
function waiting(row, counts) {
  if (row.kind === "exchange") return -2;
  const count = counts.get(row.name);
  return count && count.messages !== null ? count.messages : -1;
}

/** Return the rows in the order asked for: "dead letters", "depth" or "name". A remembered list keeps its own: the latest first. */
export function sortedRows(rows, counts, sort, isWhole) {
  if (sort === "name") return [...rows].sort(byName);
  if (!isWhole && counts.size === 0) return rows;
  const hasDeadLetters = (row) => sort === "dead letters" && Boolean(row.deadLettersOf) && waiting(row, counts) > 0;
  const keyed = rows.map((row) => ({ row, first: hasDeadLetters(row), depth: waiting(row, counts) }));
  keyed.sort((a, b) => b.first - a.first || b.depth - a.depth || byName(a.row, b.row));
  return keyed.map((item) => item.row);
}

/** Return how well a name fits: 0 the same, 1 begins with it, 2 a part of the name begins with it, 3 holds it; -1 does not fit. */
export function fit(name, query) {
  const [text, wanted] = [name.toLowerCase(), query.trim().toLowerCase()];
  const words = wanted.split(/\s+/).filter(Boolean);
  if (!words.every((word) => text.includes(word))) return -1;
  if (text === wanted) return 0;
  if (text.startsWith(wanted)) return 1;
  const parts = text.split(/[._-]+/);
  return words.every((word) => parts.some((part) => part.startsWith(word))) ? 2 : 3;
}

/** Return the rows that fit, the best first, otherwise in the order given. */
export function fittingRows(rows, query) {
  if (!query.trim()) return rows;
  const found = [[], [], [], []];
  for (const row of rows) {
    const rank = fit(row.name, query);
    if (rank >= 0) found[rank].push(row);
  }
  return found.flat();
}

/**
 * Return what the list offers: the rows that fit, and the typed name itself where no row has it. Where the list is whole, the typed
 * name comes last; where it is only what was used before, it comes first, since Enter takes the first.
 */
export function offers(rows, query, isWhole) {
  const typed = query.trim();
  const fitting = fittingRows(rows, typed);
  if (!typed || /\s/.test(typed) || fitting.some((row) => row.name === typed)) return fitting; // no name holds a space
  const free = { name: typed, isTyped: true };
  return isWhole ? [...fitting, free] : [free, ...fitting];
}

/** Return a time span in words. */
export function spanInWords(seconds) {
  if (seconds < 1) return "just now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} d ago`;
}

const grouped = (number) => number.toLocaleString("en-US");

/** Return what a row is, in words: "FIFO queue, dead-letter queue, fallback queue". */
export function kindInWords(row) {
  const words = [row.kind || "kind not known"];
  if (row.deadLettersOf) words.push("dead-letter queue");
  if (row.fallback) words.push("fallback queue");
  return words.join(", ");
}

/** Return a queue's count in words. */
export function countInWords(row, count) {
  if (row.kind === "exchange") return "holds no messages";
  if (!count) return "not read yet";
  if (count.messages === null) return "the service knows no such queue";
  return `${grouped(count.messages)} waiting, ${grouped(count.inFlight)} in flight`;
}

/** Return where dead letters go and come from, in words; the most names that are written out is three. */
export function linksInWords(row) {
  const words = [];
  if (row.deadLettersOf) {
    const named = row.deadLettersOf.slice(0, 3).join(", ");
    const more = row.deadLettersOf.length - 3;
    words.push(`dead letters of ${named}${more > 0 ? ` and ${grouped(more)} more` : ""}`);
  }
  if (row.deadLetterQueue) words.push(`dead letters go to ${row.deadLetterQueue}`);
  return words.join("; ");
}

/** Return how old the counts of the rows in sight are, in words, and how many queues were never asked. */
export function lagInWords(rows, shown, counts, now) {
  const asked = rows.filter((row) => row.kind !== "exchange");
  if (!asked.length) return "";
  const ages = shown.map((row) => counts.get(row.name)).filter(Boolean).map((count) => (now - count.at) / 1000);
  const unread = asked.filter((row) => !counts.has(row.name)).length;
  const words = ["Counts up to a minute old"];
  if (ages.length) words.push(`read ${spanInWords(Math.max(...ages))}`);
  if (unread) words.push(`${grouped(unread)} of ${grouped(asked.length)} queues not read yet`);
  return `${words.join("; ")}.`;
}
