/** The edit page: from the form to a job, through its life, into the history. */
import { addressOf, home } from "./address.ts";
import { type Api, ApiError, type EditInput, type Price, UnreachableError } from "./api.ts";
import { codeTabs } from "./code.ts";
import { find } from "./dom.ts";
import { keepDraft, takeDraft } from "./draft.ts";
import { withEnd } from "./fetch-result.ts";
import { followJob } from "./follow-job.ts";
import type { EditRecord, HistoryStore } from "./history-store.ts";
import { giveNotice } from "./notice.ts";
import { createParameterForm } from "./parameters.ts";
import { costOf, showCost } from "./price.ts";
import { randomId } from "./random-id.ts";
import type { ServerSchema } from "./schema.ts";
import { dataUrlOf, fitTogether } from "./picture-file.ts";
import { imageField, imagesOfRecord, measured, picturesOf, urlsOf } from "./record-images.ts";
import { createSourceChooser } from "./source-picture.ts";
import { createStage } from "./stage.ts";

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

const REFUSED = "The server does not know this key.";
const GONE = "This API key sees no such job: it is another key's, or the server no longer keeps it.";
const UNSHOWN = "The edit was submitted and goes on, but this page cannot show it: find it in the history.";
const UNKEPT = "This browser could not keep the edit in its history: download what you want to have.";

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
  const chooser = createSourceChooser({
    limits: schema.images,
    onChange(picture) {
      parameters.setSource(picture);
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
  }

  async function repeat(record: EditRecord, seed: "same" | "new"): Promise<void> {
    try {
      await fill(record);
    } catch (error) {
      return complain(error);
    }
    parameters.write({ seed: seed === "same" ? (record.output?.seed ?? record.parameters.seed) : -1 });
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
        promptError.textContent = chosen.length === 0 ? "Say what to draw." : "Say what to change.";
        return prompt.focus();
      }
      if (values === undefined) return;
      // Everything that can fail in this browser comes before the submission: a submitted job must not get
      // lost.
      const pictures = await fitTogether(chosen);
      const images = await Promise.all(pictures.map(dataUrlOf));
      const input: EditInput = {
        prompt: prompt.value,
        ...imageField(images),
        ...values,
        enable_preview: parameters.wantsPreview(),
      };
      const editId = pictures[0]?.editId;
      const parent = editId === undefined ? undefined : await history.get(editId).catch(() => undefined);
      const record: Omit<EditRecord, "jobId"> = {
        id: randomId(),
        endpoint: schema.endpoint,
        createdAt: Date.now(),
        prompt: input.prompt,
        parameters: values,
        status: "running",
        ...imagesOfRecord(pictures, parent),
      };
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
    // The user may be reading the code when the edit ends.
    if (isAnother) presentCode(record);
  }

  function presentCode(record: EditRecord): void {
    const { parameters: values, prompt: text, endpoint = schema.endpoint } = record;
    // Uses the URL that works from this machine; the public one may not.
    const server = home.href.replace(/\/$/, "");
    const images = urlsOf(record).map((url) => (url === undefined ? undefined : addressOf(url)));
    const input = { prompt: text, ...values };
    find("code").replaceChildren(codeTabs({ server, endpoint, input, images }));
    codeBox.hidden = false;
  }

  async function follow(record: EditRecord): Promise<void> {
    if (followed.has(record.id)) return;
    const own = options.apiAt(record.endpoint ?? schema.endpoint).withPresentKey();
    followed.set(record.id, own);
    try {
      const job = await followJob(own, record.jobId, {
        onConnection,
        onProgress: (progress) => shownId === record.id && stage.progress(progress),
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
    const isKnown = price !== undefined && Number.isFinite(size.width * size.height);
    estimate.textContent = isKnown
      ? `${size.width} × ${size.height}, costs ${showCost(costOf(price!, size))}`
      : "";
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
    open(record) {
      void fill(record);
      present(record);
    },
    keepDraft: async () => keepDraft(await chooser.get()),
    async takeDraft() {
      const pictures = await takeDraft();
      if (pictures !== undefined) chooser.set(pictures);
      return pictures !== undefined;
    },
    async resume({ isDraft }) {
      const [latest] = await history.list();
      if (latest?.status === "running") {
        if (!isDraft) void fill(latest);
        present(latest);
      }
      await followRest();
    },
    followRest,
    setLoras: parameters.setLoras,
    setPrice(next) {
      price = next;
      updateEstimate();
    },
  };
}
