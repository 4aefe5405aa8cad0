# A store that speaks S3, for the workers' archive: moto's server, by the lock of the project's own tests.
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE}
COPY requirements-dev.txt ./
RUN pip install --no-cache-dir --constraint requirements-dev.txt flask-cors "moto[s3]"
COPY tests/compose/store.py ./
CMD ["python", "store.py"]
