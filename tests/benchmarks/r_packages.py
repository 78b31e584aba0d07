"""R and the packages that are peers here, from Debian's own packages."""

import os
import shutil
import subprocess

DEBIAN = ("r-cran-lme4", "r-cran-glmmtmb")


def install():
    """Install R with lme4 and glmmTMB where apt-get is; say what is missing otherwise."""
    if shutil.which("Rscript") and _have():
        return
    if shutil.which("apt-get") is None:
        raise SystemExit(
            "R and its packages are installed with apt-get, which is not here: install R with "
            "lme4 and glmmTMB yourself and leave --install-r out."
        )
    command = ["apt-get"]
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        command = ["sudo", "apt-get"]
    subprocess.run([*command, "update"], check=True)
    subprocess.run([*command, "install", "-y", "--no-install-recommends", *DEBIAN], check=True)


def _have():
    asked = 'q(status = !all(sapply(c("lme4", "glmmTMB"), requireNamespace, quietly = TRUE)))'
    done = subprocess.run(["Rscript", "-e", asked], capture_output=True, check=False)
    return done.returncode == 0
