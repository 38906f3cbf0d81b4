// The picked destination: what it is, what it holds, and where its dead letters go and come from.

const MOST_LINKS = 10;

/** Return buttons that pick other queues; of many only the first, and in words how many more there are. */
function linkButtons(names, onPick) {
  const buttons = names.slice(0, MOST_LINKS).map((name) =>
    make("button", { type: "button", class: "cnb-pick-link", title: `Pick ${name}`, onclick: () => onPick(name) }, name),
  );
  const more = names.length - buttons.length;
  return more > 0 ? [...buttons, make("span", {}, `and ${more.toLocaleString("en-US")} more`)] : buttons;
}

function linkParts(row, isWhole, onPick) {
  const parts = [];
  if (row.deadLetterQueue) parts.push(make("span", {}, "Dead letters go to"), ...linkButtons([row.deadLetterQueue], onPick));
  if (row.deadLettersOf) parts.push(make("span", {}, "Dead letters of"), ...linkButtons(row.deadLettersOf, onPick));
  const isQueue = isWhole && row.kind && row.kind !== "exchange";
  if (!parts.length && isQueue) parts.push(make("span", { class: "cnb-pick-soft" }, "It has no dead-letter queue."));
  return parts;
}

/** Return what a picked destination holds, in words. */
function factsInWords(row, count, mayCount, now) {
  if (row.kind === "exchange") {
    return "An exchange holds no messages and cannot be received from: pick a queue that is bound to it. It can be published to.";
  }
  const words = [];
  if (count) words.push(`${countInWords(row, count)} (up to a minute old, read ${spanInWords((now - count.at) / 1000)})`);
  else if (mayCount) words.push("not read yet");
  if (row.maxDeliveries && row.deadLetterQueue) words.push(`a dead letter after ${row.maxDeliveries} failed deliveries`);
  return words.join("; ");
}

/** Make the card. What can have the focus is made anew only when it is something else. */
export function makeCard(onPick) {
  const name = make("span", { class: "cnb-pick-name" });
  const badges = make("span", { class: "cnb-row-of" });
  const facts = make("div");
  const links = make("div", { class: "cnb-row-of" });
  const element = make("div", { class: "cnb-pick-card", hidden: true }, make("div", { class: "cnb-row-of" }, name, badges), facts, links);
  let drawn = "";
  return {
    element,
    /** Show what is picked; `row` is undefined when the list does not know it. */
    show({ picked, row, count, isWhole, mayCount, now }) {
      element.hidden = !picked.name;
      if (!picked.name) return;
      const known = row ?? { name: picked.name };
      facts.textContent = factsInWords(known, count, mayCount, now);
      const state = JSON.stringify([picked, known, isWhole]);
      if (state === drawn) return;
      drawn = state;
      name.textContent = picked.name;
      badges.replaceChildren(make("span", { class: "cnb-badge" }, kindInWords(known)));
      if (picked.isListed === false) {
        badges.append(make("span", { class: "cnb-badge cnb-warn" }, isWhole ? "not in the list" : "not used here before"));
      }
      links.replaceChildren(...linkParts(known, isWhole, onPick));
    },
  };
}
