"""The plots: each takes a Teller and returns lines and questions, both with marked words."""

from foundling.fables.plots.deeds import contest, quarrel, rescue, trick
from foundling.fables.plots.keeping import exchange, feast, lost_and_found, whereabouts
from foundling.fables.plots.portraits import portrait, quiz
from foundling.fables.plots.teller import Plot
from foundling.fables.plots.troubles import feelings, moods, needs, tools

# how often each is drawn
PLOTS: dict[Plot, int] = {
    lost_and_found: 5,
    whereabouts: 4,
    feast: 3,
    exchange: 1,
    feelings: 5,
    moods: 4,
    needs: 3,
    tools: 3,
    contest: 2,
    trick: 2,
    rescue: 2,
    quarrel: 2,
    portrait: 9,
    quiz: 3,
}
