# Retouch in a container. `docker compose up` starts it with the rights of compose.yaml; by hand that is:
#
#   docker build -t retouch .
#   docker run --init --read-only --cap-drop ALL --security-opt no-new-privileges --memory 4g --pids-limit 4096 \
#     --stop-timeout 45 -p 127.0.0.1:8000:8000 -v retouch:/data retouch
#
# Nothing but /data is written to. test/container replays these lines without Docker.
FROM node:24-slim AS packages
ENV NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci

FROM packages AS build
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/bundle.mjs scripts/
COPY src src
COPY web web
RUN npm run build

FROM packages AS dependencies
# onnxruntime-node comes with its libraries for three systems, of which this is one.
RUN npm prune --omit=dev && rm -rf node_modules/onnxruntime-node/bin/*/darwin node_modules/onnxruntime-node/bin/*/win32

FROM node:24-slim
ENV NODE_ENV=production ORT_DISABLE_TELEMETRY=1
ENV RETOUCH_HOST=0.0.0.0 RETOUCH_DATA_DIR=/data RETOUCH_CACHE_DIR=/data/cache
# Where everything else goes that a program keeps or throws away: checkpoints of `retouch pull`, and temporary files.
ENV HOME=/data HF_HOME=/data/huggingface TMPDIR=/data
WORKDIR /app
COPY package.json LICENSE NOTICE ./
COPY --from=dependencies /app/node_modules node_modules
COPY checkpoints checkpoints
COPY prepared prepared
COPY examples examples
COPY bin bin
COPY --from=build /app/dist dist
RUN mkdir -m 700 /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "-e", \
  "fetch(`http://127.0.0.1:${process.env.RETOUCH_PORT || 8000}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/retouch.js"]
CMD ["serve"]
