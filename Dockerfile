# The base images are arguments: an organization's own mirror or hardened build takes their place.
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS sftp
ENV PYTHONUNBUFFERED=1
# libnss-extrausers reads the districts' accounts from a folder of their own: the image's /etc stays as it is.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libnss-extrausers openssh-server \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \
    && sed --in-place --regexp-extended 's/^(passwd|group|shadow):.*/& extrausers/' /etc/nsswitch.conf \
    && install -d -m 0755 /run/rollcall /run/sshd /srv/sftp
COPY docker/sftp/sshd_config /etc/ssh/sshd_config
COPY docker/sftp/pam /etc/pam.d/sshd
COPY docker/health.py docker/sftp/*.py plugins/rollcall/stack/sftp_guesses.py /usr/local/lib/rollcall/
CMD ["python", "/usr/local/lib/rollcall/serve.py"]

FROM ${PYTHON_IMAGE} AS rollcall
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
RUN useradd --uid 50000 --create-home rollcall \
    && install -d -o rollcall -g rollcall -m 0700 \
        /opt/airflow /var/lib/rollcall/archive /var/lib/rollcall/logs /var/lib/rollcall/accounts \
        /var/lib/rollcall/state /var/lib/rollcall/state/docs
WORKDIR /opt/rollcall
# Another lock of the project's has more in it: see docs/deploy/several-machines.md.
ARG REQUIREMENTS=requirements.txt
COPY requirements.txt ${REQUIREMENTS} ./
RUN pip install -r ${REQUIREMENTS}
COPY pyproject.toml README.md ./
COPY plugins ./plugins
COPY simulator ./simulator
RUN pip install --no-deps --editable .
COPY dags ./dags
COPY dbt_project ./dbt_project
COPY expectations ./expectations
COPY docs/images ./docs/images
COPY docs/operate ./docs/operate
COPY docker/health.py ./docker/health.py
ENV AIRFLOW_HOME=/opt/airflow \
    PYTHONPATH=/opt/rollcall/plugins/rollcall/stack/airflow_config \
    ROLLCALL_HOME=/opt/rollcall
USER rollcall
# What its processes write is for their user alone.
ENTRYPOINT ["/bin/sh", "-c", "umask 077 && exec \"$@\"", "--"]
