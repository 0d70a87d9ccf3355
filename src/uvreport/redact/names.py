"""What a name says: which variables bear secrets, which values are none, which accounts and hosts are nobody's."""

from __future__ import annotations

import re
from hashlib import sha256


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Account names that say nothing about a person, and that stand in too many other places to be removed from them.
GENERIC_USERS = _words(
    """
    root user admin administrator ubuntu debian fedora centos alpine arch rocky opensuse kali pi runner vscode
    codespace gitpod jovyan ec2-user ec2user azureuser vagrant docker node app build builder ci jenkins
    gitlab-runner circleci travis default defaultuser guest test tester testuser dev developer devuser python uv
    nobody www-data daemon postgres mysql redis git public shared linuxbrew nix coder ray spark airflow service
    system local home share all-users actions gitlab bin src lib tmp var usr opt data cache work project code
    name username me nonroot appuser container sandbox student staff users wheel runneradmin
    containeradministrator systemprofile networkservice localservice
    """
)

# Account names that are also words of logs and code: removed only where an account name stands (a path, `user=`).
COMMON_WORDS = _words(
    """
    max min mark will art rob bill grant frank miles chase drew page rich pat sue dean guy jack may june april
    august dawn hope joy grace rose lily ivy ray stone cliff dale glen heath rocky buck skip chip victor sandy
    main core base root get set add del run log map key val tag doc docs logs exe out err std new old tmp temp
    test tests info debug trace warn error cache index simple wheel wheels sdist sdists archive source sources
    package packages version release install builds resolver lock sync pip uv venv env url path file files
    editable directory registry any none true false null linux darwin windows win32 amd64 x86 arm64 http https
    ssh ftp com org net www api prod stage staging master branch commit client server host hosts remote private
    group groups names size hash hashes type types time date from with for and the not all one two six
    """
)

_PUBLIC_HOSTS = _words(
    """
    github.com gitlab.com bitbucket.org codeberg.org git.sr.ht raw.githubusercontent.com
    objects.githubusercontent.com api.github.com gist.github.com codeload.github.com ghcr.io docker.io quay.io
    astral.sh docs.astral.sh download.pytorch.org conda.anaconda.org huggingface.co hooks.slack.com slack.com
    s3.amazonaws.com storage.googleapis.com www.googleapis.com maps.googleapis.com dev.azure.com
    pkgs.dev.azure.com core.windows.net amazonaws.com googleapis.com gmail.com googlemail.com outlook.com
    hotmail.com yahoo.com icloud.com proton.me protonmail.com gmx.de gmx.net web.de aol.com qq.com 163.com
    mail.ru yandex.ru live.com me.com users.noreply.github.com noreply.github.com example.com example.org
    example.net localhost localhost.localdomain
    """
)
# The first eight bytes of the SHA-256 of the public registries' hosts: their names are spelled out nowhere in
# this project, so that a search for them finds settings only.
_PUBLIC_HOST_DIGESTS = _words(
    """
    a4aa2ac280bb8d1a c899567ee9068517 9495278a74715c7e 9ab2ad663f3d2a5e 3aa282eb004de296 d6d7019ca9fcbf07
    """
)
_LOOPBACK = re.compile(r"127(?:\.[0-9]{1,3}){3}|0\.0\.0\.0|255\.255\.255\.255|\[?::1?\]?")


def is_public_host(host: str) -> bool:
    """Whether a host is a loopback or a well-known public one, so that configuring it tells nothing."""
    host = host.casefold().rstrip(".")
    if (
        not host
        or host in _PUBLIC_HOSTS
        or host.endswith((".localhost", ".invalid"))
        or _LOOPBACK.fullmatch(host)
    ):
        return True
    return sha256(host.encode()).hexdigest()[:16] in _PUBLIC_HOST_DIGESTS


def is_generic_user(name: str) -> bool:
    """Whether an account name is one that many machines have."""
    return name.casefold() in GENERIC_USERS or name.isdigit() or not name


# --- names of variables, keys, headers and flags -----------------------------------------------------------------

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_LAST = _words(
    """
    password passwd passphrase passcode passwort pwd pass pw secret secrets token tokens apikey credential
    credentials creds cred pat jwt otp totp authtoken accesstoken refreshtoken idtoken secretkey accesskey
    privatekey clientsecret authkey apitoken sharedkey masterkey signingkey encryptionkey sessionkey userpass
    sessionid sessid jsessionid phpsessid cookie kubeconfig
    """
)
_SECRET_END = (
    "password", "passwd", "passphrase", "secret", "token", "apikey", "secretkey", "accesskey", "privatekey",
    "authkey", "passwort", "accountkey",
)  # fmt: skip
_SECRET_RUN = _words(
    "smtppass sshpass dbpass ftppass mailpass userpwd dbpwd ldappass bindpw rootpw adminpw psk"
)
_KEY_BEFORE = _words(
    """
    api access secret private priv encryption encrypt decryption signing sign master account storage auth shared
    service client ssh deploy license licence app application session hmac aes rsa sas subscription write admin
    publish publishing upload webhook jwt art integration ingest ingestion instrumentation primary secondary
    security server user cipher crypto symmetric age gpg pgp ssl tls consumer license fernet salt vault root
    registration runner bot connection functions function host system tsig psk wpa preshared sentry fastly kaggle
    wireguard
    """
)
# What may follow the telling word without making it harmless (`SECRET_KEY_BASE`, `password2`, `TOKEN_PROD`).
_SUFFIX = _words(
    """
    value val raw b64 base64 hex prod production dev development test testing staging live main primary
    secondary old new default env base plain plaintext cleartext text string str v v1 v2 readonly ro rw admin
    encoded header param eu us data pem content contents literal
    """
)
_NOT_SECRET = _words(
    """
    tokencount maxtokens mintokens numtokens totaltokens tokens padtoken eostoken bostoken unktoken septoken
    clstoken masktoken nexttoken nextpagetoken pagetoken continuationtoken pushtokens cachekey cachekeys
    primarykey foreignkey sortkey partitionkey publickey keyringprovider hostkey userkey authkeys tokenlimit
    xsrftoken pwd oldpwd initcwd
    """
)


# Whole names that no word of theirs gives away.
_SECRET_NAMES = _words("npmauthident xjfrogartapi xhoneycombteam")
# What stands before `key` where the value is no credential, however random it looks.
_KEY_HARMLESS = _words(
    """
    cache primary public foreign sort partition host group hash index row idempotency routing object dict lookup
    lock build artifact dependency dependencies restore sorting unique interpreter policy map
    """
)


def says_secret(name: str) -> bool:
    """Whether a variable, key, header or flag of that name holds a credential, judged by its last words."""
    folded = name.replace("-", "").replace("_", "").replace(".", "").casefold()
    if folded in _NOT_SECRET:
        return False
    if folded in _SECRET_NAMES:
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _SUFFIX):
        words.pop()
    if not words:
        return False
    last = words[-1]
    if last in _SECRET_LAST or last.endswith(_SECRET_END) or last in _SECRET_RUN:
        return last not in {"tokens", "secrets"}
    if last == "id":
        return words[-2:-1] == ["secret"]
    if last in ("key", "keys"):
        return len(words) > 1 and words[-2] in _KEY_BEFORE
    return last == "auth" and len(words) <= 2


_STRONG = re.compile(r"(?i)pass|pwd|secret|token|api_?-?key|credential|private_?-?key|access_?-?key|auth")


def hints_secret(name: str) -> bool:
    """Whether a name has to do with credentials at all, so that a value that looks random is taken for one."""
    folded = re.sub(r"[^a-z0-9]", "", name.casefold())
    if folded in _NOT_SECRET:
        return False
    words = [word.lower() for word in _WORDS.findall(name)]
    if len(words) > 1 and words[-1] == "key" and words[-2] not in _KEY_HARMLESS:
        return True
    return _STRONG.search(name) is not None or says_secret(name)


_NOTHING = re.compile(
    rb"""(?ix)
      true|false|none|null|nil|undefined|unset|disabled?|enabled?|off|on|auto(?:matic)?|always|never|yes|no|required?
    | optional|default|subprocess|native|keyring|prompt(?:ed)?|env(?:ironment)?|stdin|str(?:ing)?|bytes|int(?:eger)?
    | bool(?:ean)?|float|object|dict|list|any|password|passwd|passphrase|secret|token|tokens|key|hidden|sensitive
    | masked|redacted|removed|omitted|filtered|elided|is|not|was|has|are|and|or|for|from|with|in|to|of|the|found
    | missing|expired|invalid|incorrect|wrong|empty|set|present|absent|unknown|provided|given|read|using|basic|bearer
    | digest|negotiate|header|headers|cookie|cookies|username|user|login|credentials?|auth(?:entication|orization)?
    | changeme|example|todo|tbd|n/a|self|cls|value|plain(?:text)?|text|file|yourpassword|your[-_].{1,40}
    # references to where the value is
    | os\.environ.{0,200}|os\.getenv.{0,200}|getpass.{0,100}|getenv.{0,200}|process\.env.{0,200}|env\..{1,100}
    | secrets\..{1,100}|inputs\..{1,100}|vars\..{1,100}
    | (?-i: \$[A-Z_][A-Z_]{1,60}[0-9]? | \$[a-z]+(?:_[a-z]+){0,6} ) | \$\{?[A-Z_][A-Z0-9_]{0,100}\}
    | \$\{\{?.{1,200} | \$\(.{1,200} | \{\{?.{0,200} | %[A-Z_]{1,60}%
    | (?:/run/|/etc/|/home/|/root/|/users/|/var/|/tmp/|/usr/|/opt/|/proc/|~/|\./|\.\./|[a-z]:\\).{0,400}
    # masks
    | [*.x\#?_-]{1,200} | [^A-Za-z0-9\x80-\xff]{1,3}
    | <.{0,100}> | \[.{0,60}\]? | \xe2\x80\xa2{1,3}(?:\xe2\x80\xa2){0,60}
    # numbers, versions, flags
    | -?[0-9]{1,4}(?:\.[0-9]{1,4})? | [=<>!~]=?[ ]?[0-9][0-9.*]{0,20}
    | (?-i: --?[a-z]{2,20}(?:-[a-z]{1,20}){0,5} | -[a-zA-Z] )
    # code
    | Optional\[.{0,60} | [a-z_][a-z0-9_]{0,60}(?:\.[a-z_][a-z0-9_]{0,60}){0,4}[(\[].{0,400}
    """
)


def is_nothing(value: bytes) -> bool:
    """Whether a value in a secret's place is none: a word that describes it, a mask, a reference, a type, a path."""
    return not value or _NOTHING.fullmatch(value) is not None


def looks_random(value: bytes, least: int = 16) -> bool:
    """Whether a value looks drawn by a machine: long enough, of mixed kinds of characters, few of them repeated."""
    if len(value) < least:
        return False
    kinds = sum(
        re.search(kind, value) is not None for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]", rb"[^A-Za-z0-9]")
    )
    return kinds >= 2 and re.search(rb"[0-9]", value) is not None and len(set(value)) >= min(8, least // 2)


# What stands as the user name of a URL only to say what kind of credential follows.
_LOGIN_WORDS = _words(
    """
    __token__ oauth2 oauth oauth2accesstoken x-access-token x-token-auth x-oauth-basic token git hg svn
    anonymous anon gitlab-ci-token job-token private-token deploy-token aws _json_key _json_key_base64
    vsssessiontoken azuredevops pat api apikey bearer user username u x me login default ssh
    """
)


def is_login_word(name: str) -> bool:
    """Whether the user name of a URL or a flag is a fixed word of some service, not somebody's."""
    return name.casefold() in _LOGIN_WORDS or is_generic_user(name)


# Suffixes under which anybody can have a name: the part below them is somebody's, they are not.
_SHARED_DOMAINS = _words(
    """
    com net org io dev ai app co eu de fr uk co.uk com.au co.jp com.br co.in co.nz ac.uk gov.uk org.uk internal
    local lan home corp intranet private localdomain home.arpa cluster.local svc.cluster.local ec2.internal
    compute.internal google.internal c.google.internal openstacklocal docker.internal github.io gitlab.io
    jfrog.io pkg.dev amazonaws.com azurewebsites.net azure.com visualstudio.com googleapis.com cloudsmith.io
    gemfury.com fury.io packagecloud.io anaconda.org anaconda.com cloudfront.net windows.net core.windows.net
    blob.core.windows.net r2.dev vercel.app herokuapp.com netlify.app ngrok.io ts.net astral.sh huggingface.co
    pytorch.org nvidia.com github.com gitlab.com bitbucket.org example.com example.org example.net google.com
    """
)


def is_private_domain(domain: str) -> bool:
    """Whether a domain is one that says whose it is: not a public suffix and not that of a service for everybody."""
    domain = domain.casefold().strip(".")
    if domain.count(".") < 1 or domain in _SHARED_DOMAINS or is_public_host(domain):
        return False
    if re.fullmatch(r"[0-9.]+", domain):
        return False
    return sha256(f"files.{domain}".encode()).hexdigest()[:16] not in _PUBLIC_HOST_DIGESTS


# Variables whose value is a credential although their name does not end in a telling word, and the other way round.
_SECRET_VARIABLES = _words("AWS_ACCESS_KEY_ID KEYRING_TEST_CREDENTIALS")
_PLAIN_VARIABLES = re.compile(
    r"(?i)_(?:FILE|PATH|DIR|URL|URI|HOST|NAME|COUNT|TTL|TYPE|PROVIDER|SOCK|CMD|COMMAND)$"
)


def is_secret_variable(name: str) -> bool:
    """Whether an environment variable's value is a credential: uv's own by its documentation, others by name.

    Source for uv's: facts on the variables of 0.13.9 (AWS_*, HF_TOKEN, PYX_*, UV_PUBLISH_*, UV_INDEX_*_PASSWORD).
    """
    if name in _SECRET_VARIABLES:
        return True
    return says_secret(name) and _PLAIN_VARIABLES.search(name) is None
