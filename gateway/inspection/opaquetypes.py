"""The media types that a part which nobody reads may declare (IANA, and what is written for them).

A type is a text that leaves as it came, so that it must be one of a closed set: these, or the one
that an endpoint's configuration names.
"""

_BY_TOP = {
    "application": """
        epub+zip gzip json msword octet-stream ogg pdf rtf vnd.ms-excel vnd.ms-powerpoint
        vnd.oasis.opendocument.spreadsheet vnd.oasis.opendocument.text
        vnd.openxmlformats-officedocument.presentationml.presentation
        vnd.openxmlformats-officedocument.spreadsheetml.sheet
        vnd.openxmlformats-officedocument.wordprocessingml.document xml zip
    """,
    "audio": "aac amr basic flac m4a midi mp3 mp4 mpeg ogg opus vorbis wav wave webm x-m4a x-wav",
    "font": "otf ttf woff woff2",
    "image": "avif bmp gif heic heif jpeg jpg jxl png svg+xml tiff webp x-icon",
    "text": "calendar css csv html markdown plain tab-separated-values vcard vtt xml",
    "video": "3gpp mp4 mpeg ogg quicktime webm x-matroska x-msvideo",
}
KNOWN = tuple(f"{top}/{name}" for top, named in _BY_TOP.items() for name in named.split())
