"""A clean Debian 12 with systemd as its first process, in a container: made by mmdebstrap from this machine's mirror, kept as
build/packages/clean_root.tar, and unpacked anew for each use."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import debs

# What is on a machine that packages are installed on, and not their business.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "man-db", "bash-completion", "procps")
SOURCES = next((path for path in map(pathlib.Path, ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"))
                if path.exists()), None)
# Where systemd is not this machine's first process, nspawn has nobody to register with.
NSPAWN = ["systemd-nspawn", "--quiet"] + ([] if os.path.isdir("/run/systemd/system") else ["--register=no", "--keep-unit"])
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}


def run(command, check=True, **options):
    options = {"timeout": 300, "stdin": subprocess.DEVNULL, **options}
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}")
    return done


def archive():
    """The tar of the root, made if it is not there or was made of something else."""
    tar, stamp = debs.BUILT / "clean_root.tar", debs.BUILT / "clean_root.stamp"
    key = hashlib.sha256(repr((PACKAGES, SOURCES and SOURCES.read_text())).encode()).hexdigest()
    if not (tar.exists() and stamp.exists() and stamp.read_text() == key):
        print("clean root: making it (about a minute, once)", flush=True)
        partial = tar.with_suffix(".partial.tar")
        run(["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", partial,
             *([SOURCES] if SOURCES else [])], timeout=900)
        partial.rename(tar)
        stamp.write_text(key)
    return tar


class CleanRoot:
    def __init__(self):
        tar = archive()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="root.", dir=debs.BUILT))
        self.console, self.container, self.first = None, None, 0
        run(["tar", "-xf", tar, "-C", self.path])

    def fetch(self, packages):
        """Downloads what these packages need, and keeps it for the next time; they are put into /packages."""
        archives = debs.BUILT / "archives"
        archives.mkdir(exist_ok=True)
        (self.path / "packages").mkdir(exist_ok=True)
        for deb in packages:
            shutil.copy(deb, self.path / "packages")
        run([*NSPAWN, "--pipe", f"--directory={self.path}", f"--bind={archives}:/var/cache/apt/archives",
             "--setenv=DEBIAN_FRONTEND=noninteractive", "sh", "-ec",
             "apt-get update -qq; apt-get install -qq --download-only --no-install-recommends -o Dir::Cache::pkgcache= /packages/*.deb"])
        for deb in archives.glob("*.deb"):
            shutil.copy(deb, self.path / "var/cache/apt/archives")

    def boot(self):
        """With a network of its own, which leads nowhere."""
        self.console = open(self.path.with_suffix(".console"), "wb")
        self.container = subprocess.Popen([*NSPAWN, "--boot", "--private-network", "--console=pipe",
                                           f"--directory={self.path}"],
                                          stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)
        deadline = time.monotonic() + 60
        while not self.booted():
            if self.container.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the container did not boot: {pathlib.Path(self.console.name).read_text()}")
            time.sleep(0.2)

    def booted(self):
        children = pathlib.Path(f"/proc/{self.container.pid}/task/{self.container.pid}/children").read_text().split()
        if not children:
            return False
        self.first = int(children[0])
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def run(self, *command, check=True, **options):
        """A command in it, with stdout and stderr as one."""
        return run(["nsenter", f"--target={self.first}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--wdns=/",
                    "--", *command], check, env=ENVIRONMENT, **options)

    def sh(self, script, **options):
        return self.run("bash", "-ec", script, **options).stdout

    def end(self):
        if self.container:
            self.container.terminate()  # nspawn hands it on as "power off"
            try:
                self.container.wait(30)
            except subprocess.TimeoutExpired:
                self.container.kill()
                self.container.wait()
            self.console.close()
            pathlib.Path(self.console.name).unlink()
        shutil.rmtree(self.path)
