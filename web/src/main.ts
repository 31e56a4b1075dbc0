/** The playground: connects its pages, its key and its server. */
import { ApiError, createApi, UnreachableError } from "./api.ts";
import { createComparison } from "./comparison.ts";
import { find } from "./dom.ts";
import { readDraft } from "./draft.ts";
import { createEditPage } from "./edit-page.ts";
import { linkedEdit } from "./edit-link.ts";
import { createHistoryPage } from "./history-page.ts";
import { createUnkeptHistory, openHistory } from "./history-store.ts";
import { createKeyHolder } from "./key.ts";
import { showModels, wantedEndpoint } from "./model-chooser.ts";
import { giveNotice } from "./notice.ts";
import { createOperatorApi } from "./operations/api.ts";
import { createOperationsPage } from "./operations/page.ts";
import { readSchema, type ServerSchema } from "./schema.ts";
import { drawUsage } from "./usage-page.ts";

const PAGES = ["edit", "history", "usage", "operations"] as const;
const HEALTH_MS = 10_000;
const RETRY_MS = 1000;

const banner = find("banner");
const state = find("server-state");

function sayConnection(isThere: boolean): void {
  banner.hidden = isThere;
  banner.textContent = isThere ? "" : "The server is not responding. Trying again; nothing is lost.";
  if (!isThere) say("Away");
}

function say(text: string, isReady = false): void {
  state.textContent = text;
  state.dataset["state"] = isReady ? "ready" : "waiting";
}

async function schemaOfServer(): Promise<ServerSchema> {
  for (;;) {
    try {
      const schema = await readSchema(wantedEndpoint());
      sayConnection(true);
      return schema;
    } catch {
      sayConnection(false);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

const key = createKeyHolder();
const [schema, history, draft] = await Promise.all([
  schemaOfServer(),
  openHistory().catch(() => {
    giveNotice(
      "This browser does not let the page store anything: the history will be gone when the page is closed.",
    );
    return createUnkeptHistory();
  }),
  readDraft(),
]);
const api = createApi(schema.endpoint, key.get);
const refusedKey = (): void => key.ask("The server does not recognise this key.");

const comparison = createComparison();
const historyPage = createHistoryPage({
  api,
  history,
  compare: comparison.pick,
  open(record) {
    location.hash = "edit";
    editPage.open(record);
  },
  editPicture(bytes) {
    location.hash = "edit";
    void editPage.take(bytes);
  },
});
const editPage = createEditPage({
  api,
  apiAt: (endpoint) => createApi(endpoint, key.get),
  hasKey: () => key.get() !== "",
  schema,
  history,
  compare: comparison.pick,
  onHistory: () => void historyPage.refresh(),
  onConnection: sayConnection,
  onRefusedKey: refusedKey,
});
const operations = createOperationsPage({
  api: createOperatorApi(key.get),
  onConnection: sayConnection,
  onRefusedKey: refusedKey,
});
showModels(schema, editPage.keepDraft);
if (draft) await editPage.takeDraft(draft).catch(() => undefined);

function showPage(): void {
  // Any other fragment, such as that of the skip link, leaves the page as it is.
  const present = PAGES.find((name) => !find(`page-${name}`).hidden) ?? "edit";
  const wanted = linkedEdit() ? "edit" : (PAGES.find((name) => location.hash === `#${name}`) ?? present);
  for (const name of PAGES) find(`page-${name}`).hidden = name !== wanted;
  for (const link of document.querySelectorAll<HTMLElement>("nav [data-page]")) {
    if (link.dataset["page"] === wanted) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (wanted === "history") void historyPage.refresh();
  if (wanted === "usage") void refresh();
  operations.setShown(wanted === "operations");
}

/** Asks the server whether the current key is valid, what an edit costs, and whether a worker is warm. */
async function refresh(): Promise<void> {
  if (key.get() === "") {
    say("No key");
    operations.setOperator(false);
    key.ask();
    return;
  }
  try {
    const [usage, { workers }, { loras }] = await Promise.all([api.usage(), api.health(), api.loras()]);
    sayConnection(true);
    editPage.setPrice(usage.price);
    editPage.refreshTimes();
    editPage.setLoras(loras);
    drawUsage(usage);
    operations.setOperator(usage.is_operator === true);
    if (workers.ready > 0) say("Ready", true);
    else say(workers.initializing > 0 ? "Warming up" : "No worker");
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      say("Wrong key");
      refusedKey();
    } else if (error instanceof UnreachableError) sayConnection(false);
    else say((error as Error).message);
  }
}

key.onChange(() => {
  void refresh();
  if (key.get() !== "") void editPage.followRest();
});
addEventListener("hashchange", () => {
  showPage();
  void editPage.openLinked();
});
showPage();
delete document.body.dataset["loading"];
await refresh();
await editPage.resume(draft);
setInterval(() => {
  // A hidden page makes no requests.
  if (!document.hidden && key.get() !== "") void refresh();
}, HEALTH_MS);
