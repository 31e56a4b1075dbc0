/** Which methods each path has, so that other methods are answered with 405 and not as an unknown path. */
import type { FastifyInstance } from "fastify";

export interface MethodTable {
  /** The methods of a path, sorted; empty if there is no such path. */
  methodsOf(path: string): string[];
}

/** Records every route added to `app` from now on. */
export function createMethodTable(app: FastifyInstance): MethodTable {
  const routes: { segments: string[]; methods: string[] }[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    routes.push({ segments: segmentsOf(url), methods: [method].flat() });
  });
  return {
    methodsOf(path) {
      const segments = segmentsOf(path);
      const matching = routes.filter(
        (route) =>
          route.segments.length === segments.length &&
          route.segments.every((segment, index) => segment.startsWith(":") || segment === segments[index]),
      );
      return [...new Set(matching.flatMap(({ methods }) => methods))].toSorted();
    },
  };
}

const segmentsOf = (path: string): string[] => path.split("/").filter((segment) => segment !== "");
