/** The form of an edit: images, mask, instruction and parameters, filled by people, by the history, or as it was. */
import { showModel, subjectOf } from "./about-model.ts";
import type { Api, Price } from "./api.ts";
import { createCostLine } from "./cost-line.ts";
import { createCropEditor } from "./crop-editor.ts";
import { find } from "./dom.ts";
import type { Draft } from "./draft.ts";
import type { EditRecord } from "./history-store.ts";
import { createMaskEditor } from "./mask-editor.ts";
import { createParameterForm, type Parameters } from "./parameters.ts";
import { fitTogether, measured } from "./picture-file.ts";
import { picturesOf } from "./record-images.ts";
import type { ServerSchema } from "./schema.ts";
import { createSourceChooser, type SourcePicture } from "./source-picture.ts";
import type { SubmissionParts } from "./submission.ts";

export interface EditFormOptions {
  api: Api;
  /** Whether the server can be asked. */
  hasKey: () => boolean;
  schema: ServerSchema;
  onChange: () => void;
  onSubmit: () => void;
}

export interface EditForm {
  /** What is sent; undefined if something is missing or wrong, which is then said. @throws for an image that cannot be read */
  read(): Promise<Omit<SubmissionParts, "parentOf" | "endpoint"> | undefined>;
  /** Fills it as it was for this record. @throws for an image that cannot be read */
  fill(record: EditRecord): Promise<void>;
  /** Takes one image as the one to edit. @param editId the edit whose result it is */
  take(bytes: Blob, editId?: string): Promise<void>;
  write(values: Partial<Parameters>): void;
  instruction(): string;
  setInstruction(text: string): void;
  focus(): void;
  /** Says below the instruction what is wrong; empty if nothing is. */
  complain(sentence: string): void;
  /** Whether it can be submitted. */
  setEnabled(isEnabled: boolean): void;
  isEnabled(): boolean;
  draft(): Promise<Omit<Draft, "shownId">>;
  restore(draft: Draft): Promise<void>;
  /** Once all chosen images are there. */
  settled(): Promise<unknown>;
  /** Learns again how long edits take. */
  refreshTimes(): void;
  setPrice(price: Price | undefined): void;
  setLoras(names: readonly string[]): void;
}

export function createEditForm({ api, hasKey, schema, onChange, onSubmit }: EditFormOptions): EditForm {
  const form = find<HTMLFormElement>("edit-form");
  const prompt = find<HTMLTextAreaElement>("prompt");
  prompt.maxLength = schema.fields["prompt"]!.maxLength!;
  const promptError = find("prompt-error");
  const runButton = find<HTMLButtonElement>("run");
  const parameters = createParameterForm(schema);
  const costs = createCostLine(api, parameters, hasKey);
  let suggestion = "";
  const about = showModel(schema.model, (instruction) => {
    prompt.value = instruction;
    suggestion = instruction;
    promptError.textContent = "";
    onChange();
    prompt.focus();
  });
  const mask = createMaskEditor(schema.model.takes_mask ?? false, (hasMask) => {
    parameters.setMasked(hasMask);
    onChange();
  });
  let pictures: readonly SourcePicture[] = [];
  const chooser = createSourceChooser({
    limits: schema.images,
    convert: api.picture,
    onChange(next) {
      pictures = next;
      const [first] = next;
      parameters.setSource(first);
      costs.setImage(first);
      mask.setPicture(first);
      crop.setPicture(first);
      about.setSubject(subjectOf(first));
      sayKind(first !== undefined);
      onChange();
    },
    onExample(instruction) {
      // Never overwrites what somebody wrote.
      if (["", suggestion].includes(prompt.value)) prompt.value = instruction;
      suggestion = instruction;
    },
  });
  const crop = createCropEditor((cropped) => chooser.set([cropped, ...pictures.slice(1)]));
  sayKind(false);

  /** Whether the button edits an image or draws one from nothing. */
  function sayKind(hasImage: boolean): void {
    const isDrawing = !hasImage && schema.images.minImages === 0;
    find("run-name").textContent = isDrawing ? "Draw an image" : "Edit image";
    prompt.placeholder = isDrawing ? "A lighthouse at night" : "Make it night";
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onSubmit();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onSubmit();
    }
  });
  parameters.onChange(() => chooser.setMaxImages(parameters.maxImages()));
  for (const kind of ["input", "change"] as const) form.addEventListener(kind, onChange);

  return {
    async read() {
      const chosen = (await chooser.get()).slice(0, parameters.maxImages());
      const values = parameters.read();
      if (chosen.length < schema.images.minImages) {
        chooser.note("Choose an image first.");
        return undefined;
      }
      if (prompt.value.trim() === "") {
        promptError.textContent = chosen.length === 0 ? "Describe what to draw." : "Describe what to change.";
        prompt.focus();
        return undefined;
      }
      if (values === undefined) return undefined;
      return {
        prompt: prompt.value,
        values,
        pictures: await fitTogether(chosen),
        maskOf: mask.read,
        wantsPreview: parameters.wantsPreview(),
      };
    },
    async fill(record) {
      prompt.value = record.prompt;
      chooser.set(await picturesOf(record));
      parameters.write({ loras: [], ...record.parameters });
      await mask.write(record.mask);
    },
    async take(bytes, editId) {
      const picture = await measured(bytes);
      chooser.set([editId === undefined ? picture : { ...picture, editId }]);
      prompt.focus();
    },
    write: parameters.write,
    instruction: () => prompt.value,
    setInstruction: (text) => void (prompt.value = text),
    focus: () => prompt.focus(),
    complain: (sentence) => void (promptError.textContent = sentence),
    setEnabled: (isEnabled) => void (runButton.disabled = !isEnabled),
    isEnabled: () => !runButton.disabled,
    async draft() {
      const [first] = pictures;
      return {
        endpoint: schema.endpoint,
        pictures,
        prompt: prompt.value,
        parameters: parameters.snapshot(),
        mask: first && (await mask.read(first)),
      };
    },
    async restore(draft) {
      prompt.value = draft.prompt;
      chooser.set(draft.pictures);
      // Another model has other ranges and defaults, and may take no mask.
      if (draft.endpoint !== schema.endpoint) return;
      parameters.restore(draft.parameters);
      await mask.write(draft.mask);
    },
    settled: chooser.get,
    refreshTimes: costs.refresh,
    setPrice: costs.setPrice,
    setLoras: parameters.setLoras,
  };
}
