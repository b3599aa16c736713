"""Events as the Nexmark generator shapes them, in JSON: the same ones each time."""
import datetime
import random

START = datetime.datetime(2026, 1, 1)
EVENTS_PER_SECOND = 10_000  # of event time

BID = "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING"
PERSON = "id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING, `dateTime` TIMESTAMP(3), extra STRING"
AUCTION = ("id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT, `dateTime` TIMESTAMP(3), expires TIMESTAMP(3), "
           "seller BIGINT, category BIGINT, extra STRING")


def text(rng, least, most):
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(least, most)))


def moment(number):
    return (START + datetime.timedelta(microseconds=number * 1_000_000 // EVENTS_PER_SECOND)).isoformat(" ", "milliseconds")


def bids(count):
    """Half of the bids go to the hot auction of the moment, the others to one of the last hundred or so; bidders alike."""
    rng = random.Random(1)
    extras = [text(rng, 54, 82) for _ in range(997)]
    channels = [(name, f"https://www.nexmark.com/{text(rng, 3, 5)}/{text(rng, 3, 5)}/{text(rng, 3, 5)}/item.htm?query=1") for name in ("Google", "Facebook", "Baidu", "Apple")]
    others = [(f"channel-{i}", f"https://www.nexmark.com/{text(rng, 3, 5)}/{text(rng, 3, 5)}/{text(rng, 3, 5)}/item.htm?query=1&channel_id={rng.getrandbits(31)}") for i in range(1000)]
    dice, pick = rng.random, rng.choice
    for i in range(count):
        last_auction = 1000 + i * 3 // 46
        last_person = 1000 + i // 46
        auction = last_auction // 100 * 100 if dice() < 0.5 else max(1000, last_auction - int(dice() * 110))
        bidder = last_person // 100 * 100 + 1 if dice() < 0.75 else max(1000, last_person - int(dice() * 1010))
        channel, url = pick(channels) if dice() < 0.5 else pick(others)
        yield (f'{{"auction":{auction},"bidder":{bidder},"price":{round(10 ** (dice() * 6) * 100)},"channel":"{channel}","url":"{url}",'
               f'"dateTime":"{moment(i)}","extra":"{pick(extras)}"}}')


def persons(count):
    rng = random.Random(2)
    for i in range(count):
        yield (f'{{"id":{1000 + i},"name":"{rng.choice(("Peter", "Paul", "Luke", "Walter", "Julie", "Sarah"))} {rng.choice(("Shultz", "Abrams", "Spencer", "White", "Bartels"))}",'
               f'"emailAddress":"{text(rng, 5, 7)}@{text(rng, 4, 5)}.com","creditCard":"{rng.randint(1000, 9999)} {rng.randint(1000, 9999)} {rng.randint(1000, 9999)} {rng.randint(1000, 9999)}",'
               f'"city":"{rng.choice(("Phoenix", "Palo Alto", "Seattle", "Portland"))}","state":"{rng.choice(("AZ", "CA", "WA", "OR"))}","dateTime":"{moment(i * 50)}","extra":"{text(rng, 80, 120)}"}}')


def auctions(count):
    rng = random.Random(3)
    for i in range(count):
        person = 1000 + i // 3
        seller = person // 100 * 100 if rng.random() < 0.75 else max(1000, person - rng.randint(0, 1000))
        yield (f'{{"id":{1000 + i},"itemName":"{text(rng, 10, 20)}","description":"{text(rng, 60, 100)}","initialBid":{rng.randint(100, 10_000_000)},"reserve":{rng.randint(100, 10_000_000)},'
               f'"dateTime":"{moment(i * 50 // 3)}","expires":"{moment(i * 50 // 3 + 100_000)}","seller":{seller},"category":{rng.randint(10, 14)},"extra":"{text(rng, 100, 180)}"}}')


GENERATORS = {"bid": (BID, bids), "person": (PERSON, persons), "auction": (AUCTION, auctions)}
