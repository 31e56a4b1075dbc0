/** The only list of published models whose edits can be planned before they are downloaded. */
import type { ModelPlan } from "../engine/model.ts";
import { PUBLISHED_PLAN } from "./flux1-kontext/published.ts";
import { PUBLISHED_KLEIN_PLAN } from "./flux2-klein/published.ts";

/** A published model. */
export interface PublishedModel {
  /** Its name on the hub. */
  readonly repository: string;
  readonly plan: ModelPlan;
}

/** Published models whose sizes are known without their files. */
export const PUBLISHED_MODELS: readonly PublishedModel[] = [
  { repository: "black-forest-labs/FLUX.1-Kontext-dev", plan: PUBLISHED_PLAN },
  { repository: "black-forest-labs/FLUX.2-klein-4B", plan: PUBLISHED_KLEIN_PLAN },
];
