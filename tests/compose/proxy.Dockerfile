# In the place of caddy:2 where no registry is reached: Debian's package, with what the health check needs.
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends caddy wget \
    && rm -rf /var/lib/apt/lists/*
