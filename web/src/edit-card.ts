/** An edit of the history as a card: what it was, and what can be done with it. */
import { button, element, show } from "./dom.ts";
import type { EditRecord } from "./history-store.ts";

export interface CardActions {
  open: (record: EditRecord) => void;
  star: (record: EditRecord) => void;
  /** Copies instruction and seed. @returns whether that is possible */
  copy: (record: EditRecord) => Promise<boolean>;
  /** Takes the result for a comparison. */
  compare: (record: EditRecord) => void;
  remove: (record: EditRecord) => void;
}

const STATES = { running: "Running", completed: "Done", failed: "Failed", cancelled: "Cancelled" } as const;

export function createEditCard(record: EditRecord, actions: CardActions): HTMLElement {
  const { source, result, others = [], isStarred = false } = record;
  const picture = (bytes: Blob, alt: string): HTMLImageElement => {
    const made = element("img", { alt, loading: "lazy" });
    show(made, bytes);
    return made;
  };
  const choose = button("", () => actions.open(record), "card");
  choose.append(
    element(
      "span",
      { class: source ? "pair" : "pair drawn" },
      ...(source ? [picture(source, "Before")] : []),
      ...(result ? [picture(result, "After")] : []),
    ),
    ...(others.length === 0
      ? []
      : [
          element(
            "span",
            { class: "others" },
            ...others.map(({ bytes }, index) => picture(bytes, `Image ${index + 2}`)),
          ),
        ]),
    element("span", { class: "card-prompt" }, record.prompt),
    element("span", { class: "faint" }, detailsOf(record).join(" · ")),
  );
  const star = button(isStarred ? "★" : "☆", () => actions.star(record), "tool");
  star.setAttribute("aria-label", `Star: ${record.prompt}`);
  star.setAttribute("aria-pressed", String(isStarred));
  const named = (text: string, onClick: () => void): HTMLButtonElement => {
    const made = button(text, onClick, "tool");
    made.setAttribute("aria-label", `${text}: ${record.prompt}`);
    return made;
  };
  const copy = named("Copy", () => {
    void actions.copy(record).then((isCopied) => {
      copy.textContent = isCopied ? "Copied" : "This browser does not allow copying";
    });
  });
  copy.title = "Copy the instruction and the seed";
  return element(
    "li",
    {},
    choose,
    element(
      "div",
      { class: "tools" },
      star,
      copy,
      ...(result ? [named("Compare", () => actions.compare(record))] : []),
      named("Delete", () => actions.remove(record)),
    ),
  );
}

function detailsOf(record: EditRecord): string[] {
  const { parameters, output, status, results, mask } = record;
  return [
    STATES[status],
    new Date(record.createdAt).toLocaleString(),
    (output?.size ?? parameters.size).replace("*", " × "),
    `${parameters.num_inference_steps} steps`,
    `guidance ${parameters.guidance}`,
    `seed ${output?.seed ?? parameters.seed}`,
    ...(results ? [`${results.length} results`] : []),
    ...(mask ? ["with a mask"] : []),
    ...(record.source === undefined ? ["drawn without an image"] : []),
    ...(record.parentId === undefined ? [] : ["edit of an edit"]),
  ];
}
