/** Two results beside each other: any two of the history and of an edit's results. */
import { button, element, find, show } from "./dom.ts";
import { createViewer } from "./viewer.ts";

export interface Picked {
  bytes: Blob;
  /** What tells it apart, such as its instruction and seed. */
  name: string;
}

/** A result by its instruction and seed. */
export const nameOfResult = (prompt: string, seed: number): string => `${prompt}, seed ${seed}`;

export interface Comparison {
  /** Takes a result as the first or the second; with the second, both are shown. */
  pick(picked: Picked): void;
}

export function createComparison(): Comparison {
  const bar = find("compare-bar");
  const dialog = find<HTMLDialogElement>("compare-dialog");
  let first: Picked | undefined;

  function forget(): void {
    first = undefined;
    bar.hidden = true;
    bar.replaceChildren();
  }

  function ask(picked: Picked): void {
    first = picked;
    const image = element("img", { alt: "" });
    show(image, picked.bytes);
    bar.replaceChildren(
      element("span", { class: "thumbnail" }, image),
      element("p", {}, `Choose another result to compare with “${picked.name}”.`),
      button("Cancel", forget),
    );
    bar.hidden = false;
  }

  function present(one: Picked, other: Picked): void {
    find("compare-view").replaceChildren(
      createViewer({
        before: one.bytes,
        after: other.bytes,
        map: undefined,
        shares: undefined,
        prompt: other.name,
        names: ["First", "Second"],
      }),
      element(
        "dl",
        { class: "facts" },
        ...[
          ["First", one.name],
          ["Second", other.name],
        ].flatMap(([term, name]) => [element("dt", {}, term!), element("dd", {}, name!)]),
      ),
    );
    forget();
    dialog.showModal();
  }

  dialog.addEventListener("close", () => find("compare-view").replaceChildren());
  return {
    pick(picked) {
      if (first === undefined) ask(picked);
      else present(first, picked);
    },
  };
}
