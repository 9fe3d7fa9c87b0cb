# make image, for linux/amd64 and linux/arm64 (docs/deploy-image.md). It needs glibc: not Alpine.
# Secrets npmrc and ca: npm's user configuration and CA certificates of its registry, if any.
ARG BASE=docker.io/library/node:24-trixie-slim

# The output is the same for each platform: this stage runs on that of the builder.
FROM --platform=${BUILDPLATFORM} ${BASE} AS build
WORKDIR /build
COPY .npmrc package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=secret,id=ca,target=/run/secrets/ca \
    [ ! -s /run/secrets/ca ] || export NODE_EXTRA_CA_CERTS=/run/secrets/ca; \
    npm ci --no-progress --loglevel=error
COPY tsconfig.json tsconfig.build.json tsconfig.client.json ./
COPY scripts/build scripts/build
COPY docs/operations.md docs/openapi.yaml docs/asyncapi.yaml docs/
COPY src src
RUN npm run --silent build && rm dist/.built

FROM ${BASE} AS production
WORKDIR /production
COPY .npmrc package.json package-lock.json ./
COPY scripts/uws-package.mjs scripts/
# On arm64 the script tries to install uWebSockets.js; without it the gateway uses node:http and ws.
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=secret,id=ca,target=/run/secrets/ca \
    [ ! -s /run/secrets/ca ] || export NODE_EXTRA_CA_CERTS=/run/secrets/ca; \
    npm ci --omit=dev --no-progress --loglevel=error && \
    NPM_CONFIG_OMIT=dev node scripts/uws-package.mjs && rm -f node_modules/.uWebSockets.js-*

FROM ${BASE}
# The image never installs packages at run time: npm would only add packages to patch.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx \
    /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
WORKDIR /app
COPY --from=production /production/node_modules node_modules
COPY --from=build /build/dist dist
COPY package.json package-lock.json LICENSE ./

ENV NODE_ENV=production FOREBAY_ADMIN_HOST=0.0.0.0
EXPOSE 9000 9001
# Numeric: Kubernetes cannot verify by name that a user is not root.
USER 1000:1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["node", "dist/main.js", "health"]
# No shell and no init: signals reach the primary, whose only children are its workers.
ENTRYPOINT ["node", "dist/main.js"]

ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title=forebay \
      org.opencontainers.image.description="JSON events over WebSocket and HTTP into Apache Kafka" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.created=${CREATED}
