/** The edit page: from the form to a job, through its life, into the history. */
import { showModel, subjectOf } from "./about-model.ts";
import { addressOf, home } from "./address.ts";
import { type Api, ApiError, type Price, UnreachableError } from "./api.ts";
import { codeTabs } from "./code.ts";
import { find } from "./dom.ts";
import { linkedEdit, linkTo, titleOf } from "./edit-link.ts";
import { keepDraft, takeDraft } from "./draft.ts";
import { withChosen, withEnd } from "./fetch-result.ts";
import { followJob } from "./follow-job.ts";
import type { EditRecord, HistoryStore } from "./history-store.ts";
import { createMaskEditor } from "./mask-editor.ts";
import { giveNotice } from "./notice.ts";
import { createParameterForm } from "./parameters.ts";
import { costOf, showCost } from "./price.ts";
import type { ServerSchema } from "./schema.ts";
import { fitTogether } from "./picture-file.ts";
import { measured, picturesOf, seedOf, urlsOf } from "./record-images.ts";
import { createSourceChooser } from "./source-picture.ts";
import { createStage } from "./stage.ts";
import { prepareSubmission } from "./submission.ts";

export interface EditPageOptions {
  api: Api;
  /** The API of another endpoint, for jobs that were submitted there. */
  apiAt: (endpoint: string) => Api;
  schema: ServerSchema;
  history: HistoryStore;
  /** Called when a record has changed. */
  onHistory: () => void;
  onConnection: (isThere: boolean) => void;
  /** Called when the key is refused. */
  onRefusedKey: () => void;
}

export interface EditPage {
  /** Shows a record of the history, with its image and parameters in the form. */
  open(record: EditRecord): void;
  /** Shows the edit that the page's address names, if the history has it. */
  openLinked(): Promise<void>;
  /** Keeps the chosen images for the page of another model. */
  keepDraft(): Promise<void>;
  /** Takes the images of the previous model's page. @returns whether there was such a page */
  takeDraft(): Promise<boolean>;
  /** Resumes what was running when the page was left; a draft stays in the form. */
  resume(options: { isDraft: boolean }): Promise<void>;
  /** Resumes the jobs for which the previous key was refused. */
  followRest(): Promise<void>;
  setPrice(price: Price | undefined): void;
  setLoras(names: readonly string[]): void;
}

const REFUSED = "The server does not recognise this key.";
const GONE =
  "There is no such job for this API key: it belongs to another key, or the server no longer keeps it.";
const UNSHOWN =
  "The edit was submitted and is running, but this page cannot show it. You will find it in the history.";
const UNKNOWN = "This edit is not in this browser's history. Another browser may have it.";
const UNKEPT = "This browser could not save the edit in its history. Download the results you want to keep.";

export function createEditPage(options: EditPageOptions): EditPage {
  const { api, schema, history, onHistory, onConnection, onRefusedKey } = options;
  const form = find<HTMLFormElement>("edit-form");
  const prompt = find<HTMLTextAreaElement>("prompt");
  prompt.maxLength = schema.fields["prompt"]!.maxLength!;
  const promptError = find("prompt-error");
  const runButton = find<HTMLButtonElement>("run");
  const estimate = find("estimate");
  const codeBox = find<HTMLDetailsElement>("code-box");
  const parameters = createParameterForm(schema);
  let suggestion = "";
  const about = showModel(schema.model, (instruction) => {
    prompt.value = instruction;
    suggestion = instruction;
    promptError.textContent = "";
    prompt.focus();
  });
  const mask = createMaskEditor(schema.model.takes_mask ?? false, parameters.setMasked);
  const chooser = createSourceChooser({
    limits: schema.images,
    onChange(picture) {
      parameters.setSource(picture);
      mask.setPicture(picture);
      about.setSubject(subjectOf(picture));
      sayKind(picture !== undefined);
    },
    onExample(instruction) {
      // Never overwrites what somebody wrote.
      if (["", suggestion].includes(prompt.value)) prompt.value = instruction;
      suggestion = instruction;
    },
  });
  sayKind(false);
  let price: Price | undefined;
  /** The record on the stage; other jobs go on unseen. */
  let shownId: string | undefined;
  /** The jobs being followed, each with the key that submitted it; other keys cannot see the job. */
  const followed = new Map<string, Api>();

  const stage = createStage({
    cancel(record) {
      const own = followed.get(record.id) ?? options.apiAt(record.endpoint ?? schema.endpoint);
      own.cancel(record.jobId).catch((error: unknown) => complain(error));
    },
    editResult: (record) => void takeResult(record),
    editOriginal: (record) => void takeOriginal(record),
    repeat: (record, seed) => void repeat(record, seed),
    keepSeed(record) {
      parameters.write({ seed: seedOf(record) });
      prompt.focus();
    },
    choose: (record, index) => void choose(record, index),
    find: (id) => history.get(id).catch(() => undefined),
    open,
  });

  /** Whether the button edits an image or draws one from nothing. */
  function sayKind(hasImage: boolean): void {
    const isDrawing = !hasImage && schema.images.minImages === 0;
    find("run-name").textContent = isDrawing ? "Draw an image" : "Edit image";
    prompt.placeholder = isDrawing ? "A lighthouse at night" : "Make it night";
  }

  function complain(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) {
      onRefusedKey();
      promptError.textContent = REFUSED;
    } else promptError.textContent = error instanceof Error ? error.message : String(error);
    if (error instanceof UnreachableError) onConnection(false);
  }

  /** The form as it was for this record. */
  async function fill(record: EditRecord): Promise<void> {
    prompt.value = record.prompt;
    chooser.set(await picturesOf(record));
    parameters.write({ loras: [], ...record.parameters });
    await mask.write(record.mask);
  }

  function open(record: EditRecord): void {
    fill(record).catch(complain);
    present(record);
  }

  async function choose(record: EditRecord, index: number): Promise<void> {
    const one = record.results?.[index];
    if (one === undefined) return;
    await end(await withChosen(record, one, index));
    // The stage was drawn anew.
    find("stage").querySelector<HTMLElement>('.result-choice[aria-pressed="true"]')?.focus();
  }

  /** The same settings and images, with the words that are written now if there are any others. */
  async function repeat(record: EditRecord, seed: "same" | "new"): Promise<void> {
    const written = prompt.value;
    try {
      await fill(record);
    } catch (error) {
      return complain(error);
    }
    // What somebody typed since is what they want now.
    if (seed === "new" && written.trim() !== "") prompt.value = written;
    parameters.write({ seed: seed === "same" ? seedOf(record) : -1 });
    await submit();
  }

  async function takeResult(record: EditRecord): Promise<void> {
    if (record.result === undefined) return;
    chooser.set([{ ...(await measured(record.result)), editId: record.id }]);
    parameters.write({ seed: -1 });
    prompt.value = "";
    prompt.focus();
  }

  async function takeOriginal(record: EditRecord): Promise<void> {
    const bytes = record.original ?? record.source;
    if (bytes === undefined) return;
    chooser.set([await measured(bytes)]);
    prompt.focus();
  }

  async function submit(): Promise<void> {
    if (runButton.disabled) return;
    promptError.textContent = "";
    runButton.disabled = true;
    try {
      const { minImages, maxImages } = schema.images;
      const chosen = (await chooser.get()).slice(0, maxImages);
      const values = parameters.read();
      if (chosen.length < minImages) return chooser.note("Choose an image first.");
      if (prompt.value.trim() === "") {
        promptError.textContent = chosen.length === 0 ? "Describe what to draw." : "Describe what to change.";
        return prompt.focus();
      }
      if (values === undefined) return;
      // Everything that can fail in this browser comes before the submission: a submitted job must not get
      // lost.
      const { input, record } = await prepareSubmission({
        prompt: prompt.value,
        values,
        pictures: await fitTogether(chosen),
        maskOf: mask.read,
        parentOf: (id) => history.get(id).catch(() => undefined),
        wantsPreview: parameters.wantsPreview(),
        endpoint: schema.endpoint,
      });
      const { id: jobId } = await api.run(input);
      onConnection(true);
      begin({ ...record, jobId });
    } catch (error) {
      complain(error);
    } finally {
      runButton.disabled = false;
    }
  }

  /** Stores and follows the job first: whatever becomes of the page, the job is not lost. */
  function begin(record: EditRecord): void {
    void keep(record);
    void follow(record);
    try {
      present(record);
      if (matchMedia("(max-width: 52rem)").matches) find("stage").scrollIntoView({ block: "start" });
    } catch {
      promptError.textContent = UNSHOWN;
    }
  }

  async function keep(record: EditRecord): Promise<void> {
    await history.put(record).catch(() => giveNotice(UNKEPT));
    onHistory();
  }

  function present(record: EditRecord): void {
    const isAnother = shownId !== record.id;
    shownId = record.id;
    stage.show(record);
    linkTo(record.id);
    titleOf(record.status === "running" ? "Waiting" : undefined);
    // The user may be reading the code when the edit ends.
    if (isAnother) presentCode(record);
  }

  function presentCode(record: EditRecord): void {
    const { parameters: values, prompt: text, endpoint = schema.endpoint } = record;
    // Uses the URL that works from this machine; the public one may not.
    const server = home.href.replace(/\/$/, "");
    const images = urlsOf(record).map((url) => (url === undefined ? undefined : addressOf(url)));
    const input = { prompt: text, ...values };
    find("code").replaceChildren(
      codeTabs({ server, endpoint, input, images, hasMask: record.mask !== undefined }),
    );
    codeBox.hidden = false;
  }

  async function follow(record: EditRecord): Promise<void> {
    if (followed.has(record.id)) return;
    const own = options.apiAt(record.endpoint ?? schema.endpoint).withPresentKey();
    followed.set(record.id, own);
    try {
      const job = await followJob(own, record.jobId, {
        onConnection,
        onProgress(progress) {
          if (shownId !== record.id) return;
          stage.progress(progress);
          titleOf(`${progress.step} of ${progress.of}`);
        },
      });
      await end(await withEnd(record, job, onConnection));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) onRefusedKey();
      else {
        const isGone = error instanceof ApiError && error.status === 404;
        await end({ ...record, status: "failed", error: isGone ? GONE : String((error as Error).message) });
      }
    } finally {
      followed.delete(record.id);
    }
  }

  async function end(record: EditRecord): Promise<void> {
    if (shownId === record.id) present(record);
    await keep(record);
  }

  function updateEstimate(): void {
    const size = parameters.size();
    const isKnown = Number.isFinite(size.width * size.height);
    const cost = price?.is_set ? costOf(price, size) * parameters.numResults() : undefined;
    const costs = cost === undefined ? "" : `, costs ${showCost(cost)}`;
    estimate.textContent = isKnown ? `${size.width} × ${size.height}${costs}` : "";
  }

  async function followRest(): Promise<void> {
    for (const record of await history.list()) if (record.status === "running") void follow(record);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void submit();
    }
  });
  parameters.onChange(updateEstimate);

  return {
    open,
    async openLinked() {
      const id = linkedEdit();
      if (id === undefined || id === shownId) return;
      const record = await history.get(id).catch(() => undefined);
      if (record === undefined) return giveNotice(UNKNOWN);
      open(record);
    },
    keepDraft: async () => keepDraft(await chooser.get()),
    async takeDraft() {
      const pictures = await takeDraft();
      if (pictures !== undefined) chooser.set(pictures);
      return pictures !== undefined;
    },
    async resume({ isDraft }) {
      const [latest] = await history.list();
      const wanted = linkedEdit();
      const linked = wanted === undefined ? undefined : await history.get(wanted).catch(() => undefined);
      const record = linked ?? (latest?.status === "running" ? latest : undefined);
      if (record) {
        if (!isDraft) void fill(record);
        present(record);
      }
      await followRest();
    },
    followRest,
    setLoras: parameters.setLoras,
    setPrice(next) {
      price = next;
      stage.setPriced(next?.is_set === true);
      updateEstimate();
    },
  };
}
