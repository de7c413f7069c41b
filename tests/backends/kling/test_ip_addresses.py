"""Only addresses of the public Internet count as public, in every Python version."""

import json
import shutil
import subprocess
import sys

import pytest

from lab.backends.kling import ip_addresses
from lab.backends.kling.ip_addresses import is_public

# Beside special ranges, some of them next to one.
PUBLIC = str.split("""
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1
    169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0
    192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255
    2000::1 2001:200::1 2001:4860:4860::8888 2003::1 2606:4700::1111 3ffe::1 3fff:1000::1
""")
NOT_PUBLIC = str.split("""
    0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1
    127.255.255.255 169.254.0.1 169.254.169.254 172.16.0.0 172.31.255.255 192.168.0.0
    192.168.255.255 192.0.0.0 192.0.0.8 192.0.0.9 192.0.0.10 192.0.0.170 192.0.0.255 192.0.2.1
    192.88.99.1 198.18.0.0 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
    240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1 ::8.8.8.8 ::10.0.0.1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8
    64:ff9b::a00:1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 64:ff9b:1:ffff::a00:1 100::1
    2001::1 2001:0:4136:e378:8000:63bf:f5ff:fffe 2001:20::1 2001:db8::1 2002:a00:1:: 2002:7f00:1::
    2002:808:808:: 3fff::1 4000::1 5f00::1 fc00::1 fd00::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1
    localhost 08.8.8.8 1.2.3 1.2.3.4.5 [::1] 8.8.8.8/32 2130706433 0x7f000001
""")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_ones(address: str) -> None:
    """Ordinary addresses are public, also right beside a special range."""
    assert is_public(address)


@pytest.mark.parametrize("address", ["", " 8.8.8.8", *NOT_PUBLIC])
def test_special_ones(address: str) -> None:
    """Private, local and reserved addresses are not public. Neither are IPv6 addresses with an
    embedded IPv4 address, nor names and numbers that a resolver might accept as an address."""
    assert not is_public(address)


def _starts(python: str) -> bool:
    """True if the command starts a Python; it may be a shim without one."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def test_every_python_here_agrees() -> None:
    """The result does not depend on the version, unlike that of `ipaddress`."""
    names = ("python3.11", "python3.12", "python3.13", "python3.14")
    commands = [path for name in names if (path := shutil.which(name)) is not None]
    starts = [path for path in commands if _starts(path)]
    program = (
        "import json, runpy, sys\n"
        "is_public = runpy.run_path(sys.argv[1])['is_public']\n"
        "print(json.dumps([is_public(each) for each in json.loads(sys.argv[2])]))"
    )
    every = [*PUBLIC, *NOT_PUBLIC]
    for python in [sys.executable, *starts]:
        command = [python, "-I", "-c", program, ip_addresses.__file__, json.dumps(every)]
        results = json.loads(subprocess.check_output(command))
        assert results == [each in PUBLIC for each in every], python
