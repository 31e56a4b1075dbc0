/** The edit page: from the form to a job, through its life, into the history. */
import { type Api, ApiError, type Price, UnreachableError } from "./api.ts";
import type { Picked } from "./comparison.ts";
import { find } from "./dom.ts";
import { createEditForm } from "./edit-form.ts";
import { linkedEdit, linkTo, titleOf } from "./edit-link.ts";
import { createDraftKeeper, type Draft } from "./draft.ts";
import { withChosen } from "./fetch-result.ts";
import type { EditRecord, HistoryStore } from "./history-store.ts";
import { createJobFollower } from "./job-follower.ts";
import { giveNotice } from "./notice.ts";
import { presentCode } from "./request-code.ts";
import type { ServerSchema } from "./schema.ts";
import { seedOf } from "./record-images.ts";
import { createStage } from "./stage.ts";
import { prepareSubmission } from "./submission.ts";

export interface EditPageOptions {
  api: Api;
  /** The API of another endpoint, for jobs that were submitted there. */
  apiAt: (endpoint: string) => Api;
  /** Whether the server can be asked. */
  hasKey: () => boolean;
  schema: ServerSchema;
  history: HistoryStore;
  /** Takes a result for a comparison. */
  compare: (picked: Picked) => void;
  /** Called when a record has changed. */
  onHistory: () => void;
  onConnection: (isThere: boolean) => void;
  /** Called when the key is refused. */
  onRefusedKey: () => void;
}

export interface EditPage {
  /** Shows a record of the history, with its image and parameters in the form. */
  open(record: EditRecord): void;
  /** Takes an image as the one to edit. */
  take(bytes: Blob): Promise<void>;
  /** Shows the edit that the page's address names, if the history has it. */
  openLinked(): Promise<void>;
  /** Keeps the form for the page that comes. */
  keepDraft(): Promise<void>;
  /** Fills the form as it was. */
  takeDraft(draft: Draft): Promise<void>;
  /** Resumes what was running and shown when the page was left; a draft stays in the form. */
  resume(draft: Draft | undefined): Promise<void>;
  /** Learns again how long edits take. */
  refreshTimes(): void;
  /** Resumes the jobs for which the previous key was refused. */
  followRest(): Promise<void>;
  setPrice(price: Price | undefined): void;
  setLoras(names: readonly string[]): void;
}

const REFUSED = "The server does not recognise this key.";
const UNSHOWN =
  "The edit was submitted and is running, but this page cannot show it. You will find it in the history.";
const UNKNOWN = "This edit is not in this browser's history. Another browser may have it.";
const UNKEPT = "This browser could not save the edit in its history. Download the results you want to keep.";

export function createEditPage(options: EditPageOptions): EditPage {
  const { api, schema, history, onHistory, onConnection, onRefusedKey } = options;
  const form = createEditForm({
    api,
    hasKey: options.hasKey,
    schema,
    onChange: () => drafts.changed(),
    onSubmit: () => void submit(),
  });
  const drafts = createDraftKeeper(async () => ({ ...(await form.draft()), shownId }));
  /** The record on the stage; other jobs go on unseen. */
  let shownId: string | undefined;
  const jobs = createJobFollower({
    apiOf: (record) => options.apiAt(record.endpoint ?? schema.endpoint),
    onWaiting: (record, waiting) => shownId === record.id && stage.waiting(waiting),
    onProgress(record, progress) {
      if (shownId !== record.id) return;
      stage.progress(progress);
      titleOf(`${progress.step} of ${progress.of}`);
    },
    onEnd: end,
    onConnection,
    onRefusedKey,
  });

  const stage = createStage({
    cancel: (record) => void jobs.cancel(record).catch(complain),
    editResult: (record) => void takeResult(record),
    editOriginal: (record) => void takeOriginal(record),
    repeat: (record, seed) => void repeat(record, seed),
    keepSeed(record) {
      form.write({ seed: seedOf(record) });
      form.focus();
    },
    choose: (record, index) => void choose(record, index),
    list: () => history.list().catch(() => []),
    open,
    compare: options.compare,
  });

  function complain(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) {
      onRefusedKey();
      form.complain(REFUSED);
    } else form.complain(error instanceof Error ? error.message : String(error));
    if (error instanceof UnreachableError) onConnection(false);
  }

  function open(record: EditRecord): void {
    form.fill(record).catch(complain);
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
    const written = form.instruction();
    try {
      await form.fill(record);
    } catch (error) {
      return complain(error);
    }
    // What somebody typed since is what they want now.
    if (seed === "new" && written.trim() !== "") form.setInstruction(written);
    form.write({ seed: seed === "same" ? seedOf(record) : -1 });
    await submit();
  }

  async function takeResult(record: EditRecord): Promise<void> {
    if (record.result === undefined) return;
    await form.take(record.result, record.id);
    form.write({ seed: -1 });
    form.setInstruction("");
  }

  async function takeOriginal(record: EditRecord): Promise<void> {
    const bytes = record.original ?? record.source;
    if (bytes !== undefined) await form.take(bytes);
  }

  async function submit(): Promise<void> {
    if (!form.isEnabled()) return;
    form.complain("");
    form.setEnabled(false);
    try {
      const parts = await form.read();
      if (parts === undefined) return;
      // Everything that can fail in this browser comes before the submission: a submitted job must not get
      // lost.
      const { input, record } = await prepareSubmission({
        ...parts,
        parentOf: (id) => history.get(id).catch(() => undefined),
        endpoint: schema.endpoint,
      });
      const { id: jobId } = await api.run(input);
      onConnection(true);
      begin({ ...record, jobId });
    } catch (error) {
      complain(error);
    } finally {
      form.setEnabled(true);
    }
  }

  /** Stores and follows the job first: whatever becomes of the page, the job is not lost. */
  function begin(record: EditRecord): void {
    void keep(record);
    void jobs.follow(record);
    try {
      present(record);
      if (matchMedia("(max-width: 52rem)").matches) find("stage").scrollIntoView({ block: "start" });
    } catch {
      form.complain(UNSHOWN);
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
    if (isAnother) presentCode(record, schema.endpoint);
    drafts.changed();
  }

  async function end(record: EditRecord): Promise<void> {
    if (shownId === record.id) present(record);
    await keep(record);
  }

  async function followRest(): Promise<void> {
    for (const record of await history.list()) if (record.status === "running") void jobs.follow(record);
  }

  return {
    open,
    take: (bytes) => form.take(bytes),
    async openLinked() {
      const id = linkedEdit();
      if (id === undefined || id === shownId) return;
      const record = await history.get(id).catch(() => undefined);
      if (record === undefined) return giveNotice(UNKNOWN);
      open(record);
    },
    async keepDraft() {
      await form.settled();
      await drafts.keep();
    },
    takeDraft: form.restore,
    async resume(draft) {
      const [latest] = await history.list();
      const wanted = linkedEdit() ?? draft?.shownId;
      const linked = wanted === undefined ? undefined : await history.get(wanted).catch(() => undefined);
      const record = linked ?? (latest?.status === "running" ? latest : undefined);
      if (record) {
        // A link to another edit is about that one.
        if (draft === undefined || record.id !== draft.shownId) void form.fill(record);
        present(record);
      }
      await followRest();
    },
    followRest,
    setLoras: form.setLoras,
    refreshTimes: form.refreshTimes,
    setPrice(next) {
      form.setPrice(next);
      stage.setPriced(next?.is_set === true);
    },
  };
}
