/** The page that edits: from the form to a job, through its life, into the history. */
import { type Api, ApiError, type EditInput, type JobReply, type Price, UnreachableError } from "./api.ts";
import { codeTabs } from "./code.ts";
import { difference } from "./difference.ts";
import { find } from "./dom.ts";
import { followJob } from "./follow-job.ts";
import type { EditRecord, HistoryStore } from "./history-store.ts";
import { createParameterForm } from "./parameters.ts";
import { costOf, showCost } from "./price.ts";
import type { ServerSchema } from "./schema.ts";
import { createSourceChooser, imageField } from "./source-picture.ts";
import { createStage } from "./stage.ts";

export interface EditPageOptions {
  api: Api;
  schema: ServerSchema;
  history: HistoryStore;
  /** Called when a record has changed. */
  onHistory: () => void;
  onConnection: (isThere: boolean) => void;
  /** Called when the key is refused. */
  onRefusedKey: () => void;
}

export interface EditPage {
  /** Shows a record of the history, with its picture and parameters in the form. */
  open(record: EditRecord): void;
  /** Goes on with what ran when the page was left. */
  resume(): Promise<void>;
  setPrice(price: Price | undefined): void;
  setLoras(names: readonly string[]): void;
}

const REFUSED = "The server does not know this key.";

export function createEditPage(options: EditPageOptions): EditPage {
  const { api, schema, history, onHistory, onConnection, onRefusedKey } = options;
  const form = find<HTMLFormElement>("edit-form");
  const prompt = find<HTMLTextAreaElement>("prompt");
  const promptError = find("prompt-error");
  const runButton = find<HTMLButtonElement>("run");
  const estimate = find("estimate");
  const codeBox = find<HTMLDetailsElement>("code-box");
  const parameters = createParameterForm(schema);
  let suggestion = "";
  const chooser = createSourceChooser({
    onChange: (picture) => parameters.setSource(picture),
    onExample(instruction) {
      // Never over what somebody wrote.
      if (["", suggestion].includes(prompt.value)) prompt.value = instruction;
      suggestion = instruction;
    },
  });
  let price: Price | undefined;
  /** The record on the stage; what else runs goes on unseen. */
  let shownId: string | undefined;

  const stage = createStage({
    cancel(record) {
      api.cancel(record.jobId).catch((error: unknown) => complain(error));
    },
    editResult: (record) => void takeResult(record),
    editOriginal: (record) => void takeOriginal(record),
    repeat(record, seed) {
      fill(record);
      parameters.write({ seed: seed === "same" ? (record.output?.seed ?? record.parameters.seed) : -1 });
      void submit();
    },
  });

  function complain(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) {
      onRefusedKey();
      promptError.textContent = REFUSED;
    } else promptError.textContent = error instanceof Error ? error.message : String(error);
    if (error instanceof UnreachableError) onConnection(false);
  }

  /** The form as it was for this record. */
  function fill(record: EditRecord): void {
    const { source: bytes, sourceUrl, parentId } = record;
    prompt.value = record.prompt;
    void createImageBitmap(bytes).then(({ width, height }) => {
      chooser.set({
        bytes,
        width,
        height,
        ...(sourceUrl === undefined ? {} : { url: sourceUrl }),
        ...(parentId === undefined ? {} : { editId: parentId }),
      });
      parameters.write({ loras: [], ...record.parameters });
    });
  }

  async function takeResult(record: EditRecord): Promise<void> {
    if (record.result === undefined) return;
    const { width, height } = await createImageBitmap(record.result);
    chooser.set({ bytes: record.result, width, height, editId: record.id });
    parameters.write({ seed: -1 });
    prompt.value = "";
    prompt.focus();
  }

  async function takeOriginal(record: EditRecord): Promise<void> {
    const bytes = record.original ?? record.source;
    const { width, height } = await createImageBitmap(bytes);
    chooser.set({ bytes, width, height });
    prompt.focus();
  }

  async function submit(): Promise<void> {
    if (runButton.disabled) return;
    promptError.textContent = "";
    runButton.disabled = true;
    try {
      const picture = await chooser.get();
      const values = parameters.read();
      if (picture === undefined) return chooser.note("Choose a picture first.");
      if (prompt.value.trim() === "") {
        promptError.textContent = "Say what to change.";
        return prompt.focus();
      }
      if (values === undefined) return;
      const input: EditInput = {
        prompt: prompt.value,
        image: await imageField(picture),
        ...values,
        enable_preview: parameters.wantsPreview(),
      };
      const { id: jobId } = await api.run(input);
      onConnection(true);
      const parent = picture.editId === undefined ? undefined : await history.get(picture.editId);
      const record: EditRecord = {
        id: crypto.randomUUID(),
        jobId,
        createdAt: Date.now(),
        prompt: input.prompt,
        parameters: values,
        status: "running",
        source: picture.bytes,
        ...(picture.url === undefined ? {} : { sourceUrl: picture.url }),
        ...(parent === undefined ? {} : { parentId: parent.id, original: parent.original ?? parent.source }),
      };
      await history.put(record);
      onHistory();
      present(record);
      if (matchMedia("(max-width: 52rem)").matches) find("stage").scrollIntoView({ block: "start" });
      void follow(record);
    } catch (error) {
      complain(error);
    } finally {
      runButton.disabled = false;
    }
  }

  function present(record: EditRecord): void {
    stage.show(record);
    // The reader may be in the middle of it when the edit ends.
    if (shownId !== record.id) presentCode(record);
    shownId = record.id;
  }

  function presentCode({ parameters: values, prompt: text, sourceUrl }: EditRecord): void {
    const image = sourceUrl === undefined ? undefined : location.origin + sourceUrl;
    const input = { prompt: text, ...values, image };
    find("code").replaceChildren(codeTabs({ origin: location.origin, endpoint: schema.endpoint, input }));
    codeBox.hidden = false;
  }

  async function follow(record: EditRecord): Promise<void> {
    const controller = new AbortController();
    let ended: EditRecord;
    try {
      const job = await followJob(api, record.jobId, {
        signal: controller.signal,
        onConnection,
        onProgress: (progress) => shownId === record.id && stage.progress(progress),
      });
      ended = await withEnd(record, job);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        onRefusedKey();
        return;
      }
      const isGone = error instanceof ApiError && error.status === 404;
      const sentence = isGone
        ? "The server no longer knows this job; results are kept there for some minutes only."
        : String((error as Error).message);
      ended = { ...record, status: "failed", error: sentence };
    }
    await history.put(ended);
    onHistory();
    if (shownId === record.id) present(ended);
  }

  async function withEnd(record: EditRecord, job: JobReply): Promise<EditRecord> {
    const { status, output, error, executionTime } = job;
    if (status === "CANCELLED") return { ...record, status: "cancelled" };
    if (status !== "COMPLETED" || output?.image_url === undefined) {
      return { ...record, status: "failed", error: error ?? "The job ended without a picture." };
    }
    const response = await fetch(output.image_url);
    if (!response.ok) return { ...record, status: "failed", error: "The result cannot be fetched." };
    const result = await response.blob();
    const differenceFromOriginal =
      record.original === undefined ? undefined : await difference(record.original, result);
    return {
      ...record,
      status: "completed",
      result,
      output,
      ...(executionTime === undefined ? {} : { executionMs: executionTime }),
      ...(differenceFromOriginal === undefined ? {} : { differenceFromOriginal }),
    };
  }

  function updateEstimate(): void {
    const size = parameters.size();
    const isKnown = price !== undefined && Number.isFinite(size.width * size.height);
    estimate.textContent = isKnown
      ? `${size.width} × ${size.height}, costs ${showCost(costOf(price!, size))}`
      : "";
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
      fill(record);
      present(record);
    },
    async resume() {
      const records = await history.list();
      const [latest] = records;
      if (latest?.status === "running") {
        fill(latest);
        present(latest);
      }
      for (const record of records) if (record.status === "running") void follow(record);
    },
    setLoras: parameters.setLoras,
    setPrice(next) {
      price = next;
      updateEstimate();
    },
  };
}
