-- Defines the macros that read, check, mask and hash a text cell.
-- grain: macros only; each takes one cell and returns one value
-- A macro returns null where the text does not follow its rule; the caller distinguishes null from an error.
-- Identifiers and numbers are normalised as by NFKC: full-width forms become half-width, invisible characters and outer
-- spaces are removed.
-- noqa: disable=LT02
create or replace macro invisible() as
    chr(8203) || chr(8204) || chr(8205) || chr(8206) || chr(8207) || chr(8234) || chr(8235) || chr(8236) || chr(8237)
    || chr(8238) || chr(8288) || chr(8289) || chr(8290) || chr(8291) || chr(8292) || chr(65279) || chr(173);
create or replace macro control() as
    chr(1) || chr(2) || chr(3) || chr(4) || chr(5) || chr(6) || chr(7) || chr(8) || chr(14)
    || chr(15) || chr(16) || chr(17) || chr(18) || chr(19) || chr(20) || chr(21) || chr(22) || chr(23)
    || chr(24) || chr(25) || chr(26) || chr(27) || chr(28) || chr(29) || chr(30) || chr(31) || chr(127)
    || chr(128) || chr(129) || chr(130) || chr(131) || chr(132) || chr(133) || chr(134) || chr(135) || chr(136)
    || chr(137) || chr(138) || chr(139) || chr(140) || chr(141) || chr(142) || chr(143) || chr(144) || chr(145)
    || chr(146) || chr(147) || chr(148) || chr(149) || chr(150) || chr(151) || chr(152) || chr(153) || chr(154)
    || chr(155) || chr(156) || chr(157) || chr(158) || chr(159);
create or replace macro wide_space() as chr(12288) || chr(160);
create or replace macro half_width(x) as translate(
    x,
    '！＂＃＄％＆＇（）＊＋，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～'
    || wide_space() || invisible(),
    '!"#$%&''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~  '
);

create or replace macro clean(x) as nullif(
    trim(case when strlen(x) = length(x) then x else half_width(x) end, e' \t\r\n'), ''
);

-- What a spreadsheet writes around a value so that it stays text is no part of it: a leading apostrophe or grave
-- accent, with or without a closing one, and ="…".
create or replace macro unquoted(t) as case
    when starts_with(t, '="') then nullif(trim(regexp_replace(t, '^="(.*)"$', '\1')), '')
    else t
end;
create or replace macro unwrapped(t) as case
    when left(t, 1) in ('''', '`', '’', '‘', '=')
        then nullif(trim(regexp_replace(unquoted(t), '^[''`’‘]([^''`’‘]+)[''`’‘]?$', '\1')), '')
    else t
end;
-- The first character is looked at before anything else: hardly any value has a wrapper. 8216, 8217, 65287 and 65309
-- are the curly apostrophes and the full-width apostrophe and equals sign; white space may stand before them.
create or replace macro may_be_wrapped(x) as
    ascii(x) in (39, 96, 61, 8216, 8217, 65287, 65309, 32, 9, 160, 12288, 65279);
create or replace macro bare(x) as coalesce(case when may_be_wrapped(x) then unwrapped(clean(x)) end, clean(x));
create or replace macro is_wrapped(x) as
    case when may_be_wrapped(x) then clean(x) <> coalesce(unwrapped(clean(x)), '') else false end;

-- Text for display: invisible and control characters are removed, line breaks become spaces. The pattern comes
-- first because translate is slow and rarely needed.
create or replace macro shown(x) as nullif(
    trim(
        case
            when regexp_matches(x, '[^ -~\p{L}\p{N}]') then translate(
                x,
                chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || wide_space() || invisible() || control(),
                '       '
            )
            else x
        end,
        ' '
    ),
    ''
);

-- Thousands separators only between groups of three digits; no currency, no brackets, no nan. An exponent is exact as
-- R, Python and Java write it (1e+05, 1.25e+06, 1.0E7), at most five digits before it. Excel writes E+05, and many
-- programs six digits, after they rounded: what was lost cannot be known.
create or replace macro is_number(t) as regexp_full_match(
    t,
    '[+-]?(([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?|[0-9](\.[0-9]{1,4})?(e[+-]?[0-9]{1,3}|E-?[1-9][0-9]?))'
);
create or replace macro has_exponent(t) as
    (contains(t, 'e') or contains(t, 'E')) and regexp_full_match(t, '[+-]?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+');
-- An identifier is taken for a number in scientific notation only where it has the form that programs write.
create or replace macro lost_in_notation(t) as
    (contains(t, 'e') or contains(t, 'E'))
    and regexp_full_match(t, '[+-]?([0-9](\.[0-9]+)?[eE]\+[0-9]{2,}|[0-9]\.[0-9]+[eE]-[0-9]{2,})');
create or replace macro plain(t) as replace(replace(t, ',', ''), '+', '');
create or replace macro has_decimals(t, most) as case
    when contains(t, 'e') or contains(t, 'E') then coalesce(
        try_cast(t as decimal(38, 18)) = round(try_cast(t as decimal(38, 18)), most)
        and (abs(try_cast(t as double)) >= 1e-13 or try_cast(t as double) = 0),
        true
    )
    else strlen(regexp_extract(rtrim(regexp_extract(t, '\.[0-9]+$'), '0'), '[0-9]*$')) <= most
end;

create or replace macro is_int(t) as
    regexp_full_match(t, '[+-]?([0-9]+(\.0+)?|[0-9]e\+?[0-9]{1,2}|[0-9]\.[0-9]{1,2}e\+?0?[2-9])');
create or replace macro to_int(t) as try_cast(regexp_replace(plain(t), '\.0+$', '') as integer);

create or replace macro to_bool(t) as case
    when lower(t) in ('true', 't', '1', 'y', 'yes', '是') then true
    when lower(t) in ('false', 'f', '0', 'n', 'no', '否') then false
end;

-- A date with the time 00:00 is read as the date; any other time may come from another time zone and is rejected.
create or replace macro day_part(t) as regexp_replace(t, '[ T]0{1,2}:00(:00(\.0+)?)?$', '');
create or replace macro has_time(t) as regexp_matches(t, '[ T][0-9]{1,2}:[0-9]{2}');

create or replace macro masked_name(t) as case
    when t is null then null
    when regexp_full_match(left(t, 1), '\p{L}') then left(t, 1) || '**'
    else '***'
end;
create or replace macro plain_id(t) as upper(regexp_replace(t, '\s', '', 'g'));
create or replace macro masked_id(t) as case
    when t is null then null
    when regexp_full_match(t, '[0-9]{17}[0-9X]|[0-9]{15}') then left(t, 1) || repeat('*', length(t) - 2) || right(t, 1)
    else repeat('*', least(length(t), 18))
end;
create or replace macro plain_phone(t) as
    regexp_replace(regexp_replace(t, '[^0-9]', '', 'g'), '^(00)?86(1[0-9]{10})$', '\2');
create or replace macro masked_phone(t) as case
    when t is null then null
    when regexp_full_match(t, '1[0-9]{10}') then left(t, 3) || '******' || right(t, 2)
    else repeat('*', least(greatest(length(t), 1), 11))
end;

-- GB 11643: the 18th character is a check digit over the 17 before it.
create or replace macro digit(t, i) as ascii(substr(t, i, 1)) - 48;
create or replace macro id_is_sound(t) as substr('10X98765432', 1 + (
    digit(t, 1) * 7 + digit(t, 2) * 9 + digit(t, 3) * 10 + digit(t, 4) * 5 + digit(t, 5) * 8 + digit(t, 6) * 4
    + digit(t, 7) * 2 + digit(t, 8) + digit(t, 9) * 6 + digit(t, 10) * 3 + digit(t, 11) * 7 + digit(t, 12) * 9
    + digit(t, 13) * 10 + digit(t, 14) * 5 + digit(t, 15) * 8 + digit(t, 16) * 4 + digit(t, 17) * 2
) % 11, 1) = substr(t, 18, 1);

-- HMAC (RFC 2104) with SHA-256; inner_key and outer_key are the key padded to 64 bytes, xor 0x36 and xor 0x5c.
create or replace macro keyed_hash(t, inner_key, outer_key) as
    unhex(sha256(outer_key || unhex(sha256(inner_key || encode(t)))))
