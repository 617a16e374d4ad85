#!/usr/bin/env bash
# Set up a Windows Python under Wine, and install this project with its tests' packages into it.
#
#   setup.sh FOLDER
#
# FOLDER/bin/winpython runs it. The Windows pip installs the packages, so environment markers, wheels and Scripts/*.exe
# are those of Windows. A second call keeps what exists. STDLIB_PYTHON names a Python 3.11 of this machine, whose standard
# library is copied (default: the first one found). The exit code is 3 where Wine or a Python 3.11 is missing and cannot
# be installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ $# -ne 1 ]; then sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; fi
mkdir -p "$1"
box=$(cd "$1" && pwd)
say() { echo "setup: $*" >&2; }

# Wine's own versions of these wait up to a second too long in calls with a timeout; Microsoft's are used instead.
natives=msvcp140,vcruntime140,vcruntime140_1,vcomp140

# --- Debian packages
packages=()
command -v wine >/dev/null || packages+=(wine wine64)
command -v x86_64-w64-mingw32-gcc >/dev/null || packages+=(gcc-mingw-w64-x86-64)
if [ ${#packages[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null; then
        say "${packages[*]}: installed only by root on a Debian for x86-64"
        exit 3
    fi
    say "installing ${packages[*]}"
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >"$box/apt.log" 2>&1; then
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"; } \
            >>"$box/apt.log" 2>&1 || { tail -5 "$box/apt.log" >&2; exit 3; }
    fi
fi

# --- the standard library of a Python of this machine
find_python() {
    local each
    for each in "${STDLIB_PYTHON:-}" python3.11 python3 "$HOME"/.pyenv/versions/3.11.*/bin/python3.11; do
        [ -n "$each" ] && "$each" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && { echo "$each"; return; }
    done
    say "no Python 3.11 here; name one in STDLIB_PYTHON"; return 3
}
py=$(find_python) || exit 3

win=$box/python
if [ ! -f "$win/python311.dll" ]; then
    # panda3d's wheel contains the Windows CPython that it packs with programs: the DLL, the extension modules, their DLLs.
    say "fetching the Windows CPython (in the wheel of panda3d 1.10.16)"
    wheel=${PANDA3D_WHEEL:-}
    if [ -z "$wheel" ]; then
        mkdir -p "$box/download"
        "$py" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --platform win_amd64 \
            --python-version 311 --implementation cp -d "$box/download" panda3d==1.10.16
        wheel=$(ls "$box"/download/panda3d-*.whl)
    fi
    mkdir -p "$win/DLLs"
    "$py" - "$wheel" "$win" <<'PYTHON'
import sys, zipfile
from pathlib import Path, PurePosixPath
wheel, target = sys.argv[1], Path(sys.argv[2])
with zipfile.ZipFile(wheel) as packed:
    for name in packed.namelist():
        path = PurePosixPath(name)
        if path.parts[0] != "deploy_libs" or path.name.lower().startswith("api-ms-"):
            continue
        if path.suffix.lower() == ".pyd" or path.name.startswith(("libcrypto", "libssl", "libffi", "sqlite3", "tcl", "tk")):
            (target / "DLLs" / path.name).write_bytes(packed.read(name))
        elif path.name.lower() in {"python311.dll", "vcruntime140.dll", "vcruntime140_1.dll", "msvcp140.dll"}:
            (target / path.name.lower()).write_bytes(packed.read(name))
PYTHON
    [ -z "${PANDA3D_WHEEL:-}" ] && rm -rf "$box/download"
fi

if [ ! -f "$win/Lib/os.py" ]; then
    say "copying the standard library of $("$py" --version)"
    stdlib=$("$py" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    mkdir -p "$win/Lib"
    tar -C "$stdlib" --exclude=./site-packages --exclude=./lib-dynload --exclude='./config-3*' --exclude='*.so' \
        --exclude='__pycache__' --exclude=./test --exclude=./idlelib --exclude=./tkinter --exclude=./turtledemo \
        --exclude='./_sysconfigdata*' -cf - . | tar -C "$win/Lib" -xf -
    mkdir -p "$win/Lib/site-packages"
fi

if [ ! -f "$win/python3.dll" ] || [ ! -f "$win/python.exe" ] || [ "$here/launcher.c" -nt "$win/python.exe" ]; then
    say "compiling python.exe, pythonw.exe and python3.dll"
    x86_64-w64-mingw32-gcc -O2 -s -municode -o "$win/python.exe" "$here/launcher.c"
    x86_64-w64-mingw32-gcc -O2 -s -municode -mwindows -DWINDOWED -o "$win/pythonw.exe" "$here/launcher.c"
    # python3.dll, which extension modules of the stable ABI import, only forwards to python311.dll.
    {
        echo "LIBRARY python3"; echo "EXPORTS"
        x86_64-w64-mingw32-objdump -p "$win/python311.dll" |
            awk '/\[Ordinal\/Name Pointer\] Table/{on=!done;next} on&&NF==0{on=0;done=1} on&&!done{print "  " $NF " = python311." $NF}'
    } >"$box/python3.def"
    x86_64-w64-mingw32-gcc -shared -s -nostdlib -o "$win/python3.dll" "$box/python3.def" -Wl,--entry=0 2>"$box/python3.log" ||
        { cat "$box/python3.log" >&2; exit 1; }
fi

# --- the Wine prefix
export WINEPREFIX=$box/prefix WINEDEBUG=${WINEDEBUG:--all} WINEARCH=win64 WINEDLLOVERRIDES="mscoree=;mshtml=;winemenubuilder.exe=;$natives=n,b"
if [ ! -f "$WINEPREFIX/system.reg" ]; then
    say "making the Wine prefix"
    env -u DISPLAY wineboot -i >"$box/wineboot.log" 2>&1 || true
    wineserver -w 2>/dev/null || /usr/lib/wine/wineserver -w || true
fi

# Extension modules in Rust import it; Wine contains it from version 9 on.
if [ ! -f "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ]; then
    x86_64-w64-mingw32-gcc -O2 -s -shared -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" \
        "$here/bcryptprimitives.c" -ladvapi32
fi

# --- the commands
mkdir -p "$box/bin"
cat >"$box/bin/winrun" <<'SH'
#!/usr/bin/env bash
# Run a Windows program (a path of Windows or of this machine).
box=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
natives=msvcp140,vcruntime140,vcruntime140_1,vcomp140
export WINEPREFIX=$box/prefix WINEDEBUG=${WINEDEBUG:--all} WINEARCH=win64 WINEDLLOVERRIDES="mscoree=;mshtml=;winemenubuilder.exe=;$natives=n,b"
export WINEPATH="Z:${box//\//\\}\\python;Z:${box//\//\\}\\python\\Scripts"
unset DISPLAY PYTHONHOME PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="Z:${box//\//\\}\\pycache"  # each start would compile the checkout
# Environment variables that name files, as Windows paths.
for name in SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_CONFIG_FILE PIP_CONSTRAINT PIP_FIND_LINKS; do
    value=${!name:-}
    if [ "${value:0:1}" = / ]; then export "$name=Z:${value//\//\\}"; fi
done
unset SSL_CERT_DIR
# With a plain file as standard output, Wine reports a closed stream to C programs, and Python's start fails. cat writes
# the file instead.
if [ -f /proc/$$/fd/1 ] || [ -f /proc/$$/fd/2 ]; then
    set -o pipefail
    { wine "$@" 2>&1 >&3 3>&- | cat >&2; } 3>&1 | cat
    exit
fi
exec wine "$@"
SH
cat >"$box/bin/winpython" <<'SH'
#!/usr/bin/env bash
# Run the Windows Python of this folder.
box=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
exec "$box/bin/winrun" "$box/python/python.exe" "$@"
SH
chmod +x "$box/bin/winrun" "$box/bin/winpython"

if [ ! -f "$win/Scripts/pip.exe" ]; then
    say "installing pip"
    "$py" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: -d "$box/pip" "pip>=24" "setuptools>=77"
    "$py" -m zipfile -e "$box"/pip/pip-*.whl "$win/Lib/site-packages"
    "$box/bin/winpython" -m pip install -q --no-index --find-links "$box/pip" --force-reinstall --no-warn-script-location \
        pip setuptools
fi
cp "$here/sitecustomize.py" "$win/Lib/site-packages/"

if [ ! -f "$win/Scripts/vcomp140.dll" ]; then
    say "installing the runtime of Visual C++ (msvc-runtime)"
    "$box/bin/winpython" -m pip install -q --disable-pip-version-check --no-warn-script-location msvc-runtime
    cp "$win"/Scripts/vcruntime140*.dll "$win/"  # newer than panda3d's
fi
"$box/bin/winpython" -c 'import sys, ssl, sqlite3; print("setup:", sys.platform, sys.version, ssl.OPENSSL_VERSION, "SQLite", sqlite3.sqlite_version, file=sys.stderr)'

say "installing the project"
cd "$here/../.."
# numpy 2 crashes: it needs a function (crealf) that Wine 8 lacks.
"$box/bin/winpython" -m pip install -q --disable-pip-version-check --no-warn-script-location --no-compile \
    "numpy<2" -e ".[test]"
