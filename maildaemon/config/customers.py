"""The settings about customers: their organisations, the plans they have, the hours that count."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from maildaemon.config.kinds import (
    CalendarSpan,
    Clock,
    CountryCode,
    Date,
    Domain,
    FilePath,
    Name,
    Section,
    choice,
)


class Customers(Section):
    """Customers out of a file, beside those in [[organisation]]."""

    file: FilePath = Field(
        description="CSV file with the customers; a relative path starts in this file's folder.",
        examples=["customers.csv"],
    )


class Organisation(Section):
    """A customer; write one [[organisation]] for each."""

    name: Name = Field(description="Name of the organisation.", examples=["Nordvik Plast AB"])
    domains: tuple[Domain, ...] = Field(
        default=(),
        description="Domains whose mail comes from this organisation; free mail services are left out.",
        examples=[["nordvikplast.example"]],
    )
    plan: Name | None = Field(
        default=None, description="Name of the [[plan]] that was agreed.", examples=["gold"]
    )
    customer_since: Date | None = Field(
        default=None,
        description="First day of the customer relation.",
        examples=["2024-01-01"],
    )
    customer_until: Date | None = Field(
        default=None,
        description="Last day of the customer relation; retention counts from here.",
        examples=["2026-06-30"],
    )


class Plan(Section):
    """What was promised about answers, in business hours; write one [[plan]] for each."""

    name: Name = Field(description="Name that an [[organisation]] refers to.", examples=["gold"])
    first_answer: CalendarSpan | None = Field(
        default=None, description="Time to the first answer in a case.", examples=["2h"]
    )
    next_answer: CalendarSpan | None = Field(
        default=None, description="Time to every further answer.", examples=["4h"]
    )
    solution: CalendarSpan | None = Field(
        default=None, description="Time until the case is closed.", examples=["P2D"]
    )


class Weekday(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WeekdayChoice = Annotated[Weekday, choice(Weekday)]


class HoursException(Section):
    """A day that differs from the week: closed, unless both open and close are given."""

    date: Date = Field(description="The day.", examples=["2026-12-24"])
    open: Clock | None = Field(default=None, description="Opening time on that day.", examples=["09:00"])
    close: Clock | None = Field(default=None, description="Closing time on that day.", examples=["12:00"])
    reason: Name | None = Field(default=None, description="Why, for reports.", examples=["Christmas Eve"])


class Hours(Section):
    """The business hours in which targets run, in the time zone of daemon.timezone."""

    days: tuple[WeekdayChoice, ...] = Field(
        default=(Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU, Weekday.FRI),
        description="Days of the week that are worked.",
        min_length=1,
    )
    open: Clock = Field(default=time(8), description="Opening time.")
    close: Clock = Field(default=time(17), description="Closing time.")
    holidays: CountryCode | None = Field(
        default=None,
        description="Country whose public holidays are free (ISO 3166-1, two letters).",
        examples=["SE"],
    )
    exception: tuple[HoursException, ...] = Field(default=(), description="Days that differ.")
