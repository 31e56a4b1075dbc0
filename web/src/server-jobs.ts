/** What the server has of this key: what runs now, and the results of edits that another browser or program made. */
import { ownAddressOf } from "./address.ts";
import type { Api, Requests } from "./api.ts";
import { button, element, find, show } from "./dom.ts";
import type { EditRecord } from "./history-store.ts";
import { fetchPicture } from "./picture-file.ts";

export interface ServerJobsOptions {
  api: Api;
  open: (record: EditRecord) => void;
  /** Takes an image as the one to edit. */
  editPicture: (bytes: Blob) => void;
}

export interface ServerJobs {
  /** @param records the edits of this browser, which has more of them than the server tells */
  draw(records: readonly EditRecord[]): Promise<void>;
}

type Request = Requests["requests"][number];

/** Results of elsewhere that are shown, the newest. */
const MAX_ENDED = 24;

export function createServerJobs({ api, open, editPicture }: ServerJobsOptions): ServerJobs {
  const live = find("live");
  const ended = find("ended");

  function running({ status, startedAt }: Request, known: EditRecord | undefined): HTMLElement {
    const since = startedAt ? `, since ${new Date(startedAt).toLocaleTimeString()}` : "";
    const state = element("span", { class: "faint" }, status === "IN_QUEUE" ? "Waiting" : `Running${since}`);
    if (known === undefined) return element("li", {}, "An edit from elsewhere ", state);
    const name = button("", () => open(known), "link");
    if (known.source) {
      const picture = element("img", { alt: "" });
      show(picture, known.source);
      name.append(element("span", { class: "thumbnail" }, picture));
    }
    name.append(known.prompt);
    return element("li", {}, name, " ", state);
  }

  function result({ output = {}, completedAt }: Request): HTMLElement[] {
    const { image_url: url, size = "", seed } = output;
    const address = url?.startsWith("data:") ? url : url && ownAddressOf(url);
    if (address === undefined) return [];
    const when = completedAt === undefined ? "" : new Date(completedAt).toLocaleString();
    const said = [when, size.replace("*", " × "), `seed ${seed}`].filter(Boolean).join(" · ");
    const take = (): void => void fetchPicture(address).then(editPicture, () => item.remove());
    const picture = element("img", { src: address, alt: `Edit this result: ${said}`, loading: "lazy" });
    const choose = button("", take, "thumbnail large");
    choose.append(picture);
    const item = element("li", {}, choose, element("span", { class: "faint caption" }, when));
    // Its file has expired.
    picture.addEventListener("error", () => item.remove());
    return [item];
  }

  return {
    async draw(records) {
      try {
        const { requests } = await api.requests();
        const byJob = new Map(records.map((record) => [record.jobId, record]));
        const now = requests.filter(({ status }) => ["IN_QUEUE", "IN_PROGRESS"].includes(status));
        const rows = now.map((one) => running(one, byJob.get(one.id)));
        live.replaceChildren(...(rows.length > 0 ? rows : [element("li", { class: "faint" }, "Nothing.")]));
        const elsewhere = requests.filter(({ id, status }) => status === "COMPLETED" && !byJob.has(id));
        const results = elsewhere.slice(0, MAX_ENDED).flatMap(result);
        ended.replaceChildren(...results);
        find("ended-title").hidden = results.length === 0;
      } catch (error) {
        live.replaceChildren(element("li", { class: "faint" }, (error as Error).message));
      }
    },
  };
}
