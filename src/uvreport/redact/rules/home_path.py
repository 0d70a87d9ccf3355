from __future__ import annotations

from uvreport.redact.rule import Probe, Rule

RULE = Rule(
    name="home-path",
    what="the account name in a home directory of any system",
    source="hier(7), macOS and Windows defaults, WSL, Cygwin, Git for Windows, FreeBSD, Fedora Atomic, Solaris",
    literals=(
        "/home/",
        "/users/",
        "\\users\\",
        "\\home\\",
        "documents and settings\\",
        "/u/home/",
        "pytest-of-",
        "/run/media/",
        "/var/folders/",
        "/homes/",
        "/home1/",
        "/home2/",
        "/home3/",
        "/usr/people/",
        "/afs/",
        "/mnt/",
        "/var/services/homes/",
        "/volume",
        "localhost/home/",
        "+ubuntu/home/",
        "+debian/home/",
    ),
    probes=(Probe(r"~[a-z][a-z0-9_-]{1,31}/", r"~[a-z][a-z0-9_-]{1,31}"),),
    pattern=r"""
        (?: (?: (?<![A-Za-z0-9._~/-]) | (?<=[A-Za-z]:) | (?<=/[A-Za-z]) | (?<=/export) | (?<=/var) | (?<=/usr)
        | (?<=/nfs) | (?<=/net)
                | (?<=/data) | (?<=/private) | (?<=/Data) | (?<=/mnt) | (?<=/host) | (?<=/rootfs) | (?<=/lustre)
                | (?<=/gpfs) | (?<=/scratch) | (?<=/cluster) | (?<=/beegfs) | (?<=/storage) | (?<=/srv) |
                  (?<=/nas) | (?<=/pool)
                | (?<=/tank) | (?<=/vol) | (?<=/work) | (?<=/fs) | (?<=/ceph) | (?<=/shared) | (?<=//localhost)
                | (?<=wsl\+ubuntu) | (?<=wsl\+debian) |
                (?<=[ ]-[IL]) | (?<=//) ) /{1,2} (?:home|Users|u/home) / (?! (?:\.|\*|\$|<|%|\{|nix/|linuxbrew/)
                  ) (?: [A-Za-z0-9-]{2,40}(?:\.[A-Za-z0-9-]{2,40}){1,4} / (?=[a-z][a-z0-9._-]{1,31}/) )?
            (?: (?P<user> [^\s/:"'`<>|,;()\[\]{}\\*?&\x00]{1,64} ) )
          | (?: (?<=:) | (?<=wsl\$) | (?<=wsl.localhost) | (?<=[A-Za-z0-9]) )? \\{1,4} (?:Users|home
          |Documents[ ]and[ ]Settings) \\{1,4}
            (?: (?P<user_2> [^\s\\/:*?"'`<>|%\x00][^\\/:*?"'`<>|%\r\n\x00]{0,63} ) (?=\\)
              | (?P<user_3> [^\s\\/:*?"'`<>|%,;()\x00]{1,64} ) )
          | (?<![A-Za-z0-9._~-]) (?: /homes | /home[1-9] | /usr/people | /var/services/homes | /volume[1-9]/homes
              | /afs/[a-z0-9.-]{3,60}/(?:user|usr|home|u)(?:/[a-z]{1,2}){0,2} | /mnt/[a-z]/Documents[ ]and[ ]Settings )
            / (?P<user_7> [A-Za-z_\x80-\xff][^\s/:"'`<>|,;()\[\]{}\\*?&\x00]{0,63} ) (?=/)
          | (?<![A-Za-z0-9_.~)\]-]) ~ (?P<user_8> [a-z][a-z0-9_-]{1,31} ) (?=/[A-Za-z0-9._-])
          | pytest-of- (?P<user_4> [^\s/\\:"'`<>|]{1,64} ) (?=/|\\)
          | /run/media/ (?P<user_5> [^\s/:"'`]{1,64} ) /
          | /var/folders/ (?P<user_6> [A-Za-z0-9_+]{2}/[A-Za-z0-9_]{20,40} ) / )
    """,
    removes=(
        ("/home/zoe/proj/.venv", "/home/user/proj/.venv"),
        ("at `/Users/zoe/dev/x`", "at `/Users/user/dev/x`"),
        ("C:\\Users\\Zoe Q\\AppData", "C:\\Users\\user\\AppData"),
        ('"C:\\\\Users\\\\Zoe Q\\\\AppData"', '"C:\\\\Users\\\\user\\\\AppData"'),
        ("file:///C:/Users/zoe/x", "file:///C:/Users/user/x"),
        ("/mnt/c/Users/zoe/code", "/mnt/c/Users/user/code"),
        ("c:\\users\\zoe\\appdata", "c:\\users\\user\\appdata"),
        ("/export/home/zoe/venv", "/export/home/user/venv"),
        ("under pytest-of-zoe/pytest-0", "under pytest-of-user/pytest-0"),
        ("/lustre/home/zoe/x", "/lustre/home/user/x"),
        ("/homes/zoe/x and /home2/zoe/y", "/homes/user/x and /home2/user/y"),
        ("/afs/cern.ch/user/z/zoe/x", "/afs/cern.ch/user/z/user/x"),
        ("/home/corp.example/zoe/x", "/home/corp.example/user/x"),
        ("cd ~zoe/x and `~zoe/.cache`", "cd ~user/x and `~user/.cache`"),
        ("file://localhost/home/zoe/x", "file://localhost/home/user/x"),
        ("file:///home/jos%C3%A9/x", "file:///home/user/x"),
    ),
    keeps=(
        "~/x and HEAD~1/x and six~=1.0",
        "/home/user/project",
        "/Users/Shared/x",
        "C:\\Users\\Public\\x",
        "https://h.example/docs/home.html",
        "/home/linuxbrew/.linuxbrew/bin/uv",
        "/home/runner/work/x",
        "/home/$USER/x",
        "https://h.example/homes/for/sale",
        "/home/user/.cache/uv/x",
    ),
)
