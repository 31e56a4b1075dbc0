/** What the page says of the model: what it is good for, before anything is judged by it, and what to ask of it. */
import { button, element, find } from "./dom.ts";
import type { ModelFacts } from "./schema.ts";
import type { SourcePicture } from "./source-picture.ts";

/** What is about to be edited: nothing, a drawn scene such as the examples, or a file of the user's own. */
export type Subject = "none" | "example" | "own";

export interface AboutModel {
  /** Shows what to expect of this image, and what to ask for it. */
  setSubject(subject: Subject): void;
}

/** How to edit with the published weights. */
const COMMANDS = "npx retouch pull\nnpx retouch serve --checkpoint black-forest-labs/FLUX.1-Kontext-dev";

/** @param onSuggestion called with an instruction that the user has chosen */
export function showModel(model: ModelFacts, onSuggestion: (instruction: string) => void): AboutModel {
  const { title, summary, native_side: side, photographs, suggestions = [] } = model;
  const line = [title, side && `draws at ${side} × ${side}`].filter(Boolean).join(" · ");
  find("model-title").textContent = line;
  find("model-summary").textContent = summary ?? "";
  find("about-model").hidden = line === "";

  const warning = find("photograph-warning");
  if (photographs !== undefined) {
    warning.append(
      element("p", {}, photographs),
      element(
        "details",
        {},
        element("summary", {}, "Edit photographs with the published model"),
        element("pre", {}, COMMANDS),
        element(
          "p",
          { class: "faint" },
          "The first command downloads 34 GB, once you have accepted the licence of the weights; ",
          element("code", {}, "npx retouch doctor"),
          " tells you what this computer can run and how long an edit takes.",
        ),
      ),
    );
  }

  const chips = find("suggestions");
  return {
    setSubject(subject) {
      warning.hidden = photographs === undefined || subject !== "own";
      const fitting = suggestions.filter((one) => one.suits_any || subject !== "own");
      chips.replaceChildren(
        ...fitting.map(({ instruction }) =>
          element(
            "li",
            {},
            button(instruction, () => onSuggestion(instruction), "chip"),
          ),
        ),
      );
      find("suggestions-field").hidden = subject === "none" || fitting.length === 0;
    },
  };
}

/** A result is what the model drew: it knows that world. */
export function subjectOf(picture: Pick<SourcePicture, "path" | "editId"> | undefined): Subject {
  if (picture === undefined) return "none";
  return picture.path === undefined && picture.editId === undefined ? "own" : "example";
}
