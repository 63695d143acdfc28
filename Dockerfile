# automl in an image, without root. How to build and use it: docs/how-to/install.md
ARG BASE=python:3.12-slim

FROM ${BASE} AS base
# Images of CUDA have no Python: the distribution's own, if it is 3.11 to 3.13.
RUN command -v python3 > /dev/null || { \
      apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*; }

FROM base AS build
# One of pyproject.toml's extras or several with commas between; empty: the core.
ARG EXTRA=depth
ARG PIP_EXTRA_INDEX_URL
WORKDIR /source
COPY . .
RUN python3 -m venv /opt/automl \
    && /opt/automl/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
       -c constraints.txt ".${EXTRA:+[$EXTRA]}"

FROM base
COPY --from=build /opt/automl /opt/automl
# Any user may use it (`--user`): home, caches and results are not the image's.
RUN mkdir -p /home/automl /work && chmod 1777 /home/automl /work
ENV PATH=/opt/automl/bin:$PATH HOME=/home/automl USER=automl PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["automl"]
