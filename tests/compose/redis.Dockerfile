# In the place of redis:8 where no registry is reached: Debian's package, with the user and the folder of the official image.
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE}
RUN groupadd --gid 999 redis \
    && useradd --uid 999 --gid redis redis \
    && apt-get update \
    && apt-get install --yes --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o redis -g redis /data
