# YTCaption in one image, for every role: the command says which (`serve`, `worker transcribe`, ...).
#
#   docker build -t ytcaption .
#
# On x86-64 the program contains Intel MKL (Intel Simplified Software License; its text is in the image).
# `--build-arg BACKEND=ruy` builds without it, for other processors or another taste in licences.
# For NVIDIA cards BACKEND=mkl,cuda, with a BUILDER and a BASE that have CUDA: docs/operations.md.

# Where the program comes from: the stage below, or any image that has /out/ytcaption.
ARG PROGRAM=build
# Where it is compiled, and what it runs on.
ARG BUILDER=rust:1.95-bookworm
ARG BASE=debian:bookworm-slim

FROM ${BUILDER} AS build
ARG BACKEND=mkl
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake g++ python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY scripts/requirements/mkl.txt scripts/requirements/mkl.txt
COPY scripts/unpack_mkl.py scripts/unpack_mkl.py
ENV MKLROOT=/opt/mkl
RUN mkdir -p "$MKLROOT" && touch "$MKLROOT/LICENSE.txt" \
    && case "$BACKEND" in mkl*) \
        python3 -m venv /tmp/venv \
        && /tmp/venv/bin/pip download --no-cache-dir --require-hashes --no-deps -r scripts/requirements/mkl.txt -d /tmp/wheels \
        && python3 scripts/unpack_mkl.py /tmp/wheels "$MKLROOT" libmkl_core.a libmkl_intel_ilp64.a libmkl_sequential.a \
        && rm -rf /tmp/venv /tmp/wheels;; \
    esac
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    CMAKE_PARALLEL="$(nproc)" cargo build --release --locked -p ytcaption-cli --no-default-features --features "$BACKEND" \
    && mkdir -p /out && cp target/release/ytcaption "$MKLROOT/LICENSE.txt" /out/

FROM ${PROGRAM} AS program

FROM debian:bookworm-slim AS yt-dlp
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-venv
COPY scripts/requirements/yt-dlp.txt /tmp/yt-dlp.txt
RUN python3 -m venv /opt/yt-dlp \
    && /opt/yt-dlp/bin/pip install --no-cache-dir --require-hashes --no-deps -r /tmp/yt-dlp.txt \
    && /opt/yt-dlp/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
# ffmpeg's optional OpenGL output brings a software renderer of 150 MB that nothing here can reach.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates ffmpeg libstdc++6 postgresql-client python3-minimal libpython3-stdlib \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /usr/lib/*/dri /usr/lib/*/libLLVM-*.so* /usr/lib/*/libz3.so* /usr/share/doc/* \
    && ffmpeg -hide_banner -version >/dev/null && ffprobe -version >/dev/null \
    && useradd --uid 10001 --home-dir /var/lib/ytcaption --create-home --shell /usr/sbin/nologin ytcaption
COPY --from=yt-dlp /opt/yt-dlp /opt/yt-dlp
COPY --from=program /out/ /opt/ytcaption/
COPY models/demo/model /opt/ytcaption/models/demo
COPY scripts/healthcheck.py /opt/ytcaption/healthcheck.py
COPY LICENSE-MIT LICENSE-APACHE /opt/ytcaption/
ENV PATH=/opt/ytcaption:/opt/yt-dlp/bin:$PATH \
    YTCAPTION_DATA_DIR=/var/lib/ytcaption \
    YTCAPTION_API__LISTEN=0.0.0.0:8000 \
    YTCAPTION_METRICS__LISTEN=0.0.0.0:9090 \
    YTCAPTION_MODELS__FOLDER=/opt/ytcaption/models \
    YTCAPTION_TRANSCRIPTION__MODEL=demo \
    YTCAPTION_LOG__FORMAT=json
USER ytcaption
WORKDIR /var/lib/ytcaption
EXPOSE 8000 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python3", "/opt/ytcaption/healthcheck.py"]
ENTRYPOINT ["ytcaption"]
CMD ["serve"]
