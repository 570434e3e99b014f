# search in a container, on the folder that is mounted at /work:
#
#   docker build --tag litefront .
#   docker run --rm --interactive --tty --shm-size 2g --user "$(id -u):$(id -g)" \
#       --volume "$PWD:/work" litefront run images --data photos/

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY spaces spaces
COPY workers workers
COPY search search
# uv, itself locked and hashed, holds every package to the version and the hash in the lock; what only
# developers need is left out. Bytecode is written here once: nobody may write it where it runs, and
# every process would compile TensorFlow anew.
RUN python -m venv /venv \
    && sed -n '/^uv==/,/[^\\]$/p' requirements.lock >uv.lock \
    && python -m pip install --no-cache-dir --require-hashes --no-deps --requirement uv.lock \
    && uv pip install --no-cache --python /venv --constraint requirements.lock setuptools \
    && uv pip install --no-cache --compile-bytecode --python /venv \
        --constraint requirements.lock --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 1000 search
COPY --from=build /venv /venv
# Any user may run it (--user), also one that has no name and no home here.
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    USER=search \
    PYTHONDONTWRITEBYTECODE=1
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["search"]
CMD ["--help"]
