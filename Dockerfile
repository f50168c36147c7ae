# One image for all roles of YTCaption: the command selects the role (`serve`, `worker transcribe`, ...).
#
#   docker build -t ytcaption .
#
# CTranslate2's shared library is installed beside the program. `--build-arg BACKEND=ruy` (or mkl) compiles it into the
# program instead, which takes a quarter of an hour longer. The licences of all parts: licences/README.md, also in the image.
# NVIDIA GPUs need a BASE with cuBLAS 12: docs/operations.md.

# The image from which the program is copied: the stage `build` below, or any image that has the program and the libraries
# that it needs in /out.
ARG PROGRAM=build
# The images in which the program is compiled and on which it runs.
ARG BUILDER=rust:1.95-bookworm
ARG BASE=debian:bookworm-slim

FROM ${BUILDER} AS build
ARG BACKEND=shared
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ make python3-venv $([ "$BACKEND" = shared ] || echo cmake) \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY scripts/requirements/ctranslate2.txt scripts/requirements/mkl.txt scripts/requirements/
COPY scripts/unpack_ctranslate2.py scripts/unpack_mkl.py scripts/
# The directories into which CTranslate2 or MKL is unpacked below, and in which the build looks for them.
ENV LIBRARY_PATH=/opt/ctranslate2 MKLROOT=/opt/mkl
RUN python3 -m venv /tmp/venv && mkdir /out \
    && fetch() { /tmp/venv/bin/pip download --no-cache-dir --require-hashes --no-deps --only-binary=:all: -d /tmp/wheels "$@"; } \
    && case "$BACKEND" in \
        shared) \
            fetch -r scripts/requirements/ctranslate2.txt \
                --implementation cp --python-version 3.11 --platform "manylinux_2_28_$(uname -m)" \
            && python3 scripts/unpack_ctranslate2.py /tmp/wheels "$LIBRARY_PATH" \
            && cp "$LIBRARY_PATH"/*.so.* /out/ ;; \
        mkl*) \
            fetch -r scripts/requirements/mkl.txt \
            && python3 scripts/unpack_mkl.py /tmp/wheels "$MKLROOT" libmkl_core.a libmkl_intel_ilp64.a libmkl_sequential.a ;; \
    esac \
    && rm -rf /tmp/venv /tmp/wheels
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    CMAKE_PARALLEL="$(nproc)" cargo build --release --locked -p ytcaption-cli --no-default-features --features "$BACKEND" \
    # Debug information, three quarters of the file, is needed only for backtraces.
    && strip --strip-debug -o /out/ytcaption target/release/ytcaption

FROM ${PROGRAM} AS program

FROM debian:bookworm-slim AS yt-dlp
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-venv
COPY scripts/requirements/yt-dlp.txt /tmp/yt-dlp.txt
RUN python3 -m venv /opt/yt-dlp \
    && /opt/yt-dlp/bin/pip install --no-cache-dir --require-hashes --no-deps -r /tmp/yt-dlp.txt \
    && /opt/yt-dlp/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
# ffmpeg's optional OpenGL output depends on a software renderer of 150 MB, which is not used here.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates ffmpeg libstdc++6 postgresql-client python3-minimal libpython3-stdlib \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /usr/lib/*/dri /usr/lib/*/libLLVM-*.so* /usr/lib/*/libz3.so* \
    && find /usr/share/doc -type f ! -name copyright -delete \
    && ffmpeg -hide_banner -version >/dev/null && ffprobe -version >/dev/null \
    && useradd --uid 10001 --home-dir /var/lib/ytcaption --create-home --shell /usr/sbin/nologin ytcaption
COPY --from=yt-dlp /opt/yt-dlp /opt/yt-dlp
COPY --from=program /out/ /opt/ytcaption/
COPY models/demo/model /opt/ytcaption/models/demo
COPY scripts/healthcheck.py /opt/ytcaption/healthcheck.py
COPY LICENSE-MIT LICENSE-APACHE /opt/ytcaption/
COPY licences /opt/ytcaption/licences
ENV PATH=/opt/ytcaption:/opt/yt-dlp/bin:$PATH \
    YTCAPTION_DATA_DIR=/var/lib/ytcaption \
    YTCAPTION_API__LISTEN=0.0.0.0:8000 \
    YTCAPTION_METRICS__LISTEN=0.0.0.0:9090 \
    YTCAPTION_MODELS__DIRECTORY=/opt/ytcaption/models \
    YTCAPTION_TRANSCRIPTION__MODEL=demo \
    YTCAPTION_LOG__FORMAT=json
USER ytcaption
WORKDIR /var/lib/ytcaption
EXPOSE 8000 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python3", "/opt/ytcaption/healthcheck.py"]
ENTRYPOINT ["ytcaption"]
CMD ["serve"]
