"""Domains at which anybody can have an address: they never stand for an organisation."""

FREE_MAIL_DOMAINS = frozenset(
    """
    gmail.com googlemail.com
    outlook.com outlook.se outlook.dk outlook.de outlook.fr outlook.es outlook.it
    hotmail.com hotmail.se hotmail.no hotmail.dk hotmail.fi hotmail.de hotmail.fr hotmail.co.uk hotmail.it
    hotmail.es hotmail.nl live.com live.se live.no live.dk live.fi live.de live.fr live.nl live.co.uk
    live.it msn.com windowslive.com passport.com
    yahoo.com yahoo.se yahoo.no yahoo.dk yahoo.fi yahoo.de yahoo.fr yahoo.co.uk yahoo.it yahoo.es
    yahoo.co.jp yahoo.co.in yahoo.ca yahoo.com.br yahoo.com.au ymail.com rocketmail.com myyahoo.com
    icloud.com me.com mac.com
    aol.com aol.de aol.fr aol.co.uk aim.com netscape.net
    proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tuta.io tuta.com tutamail.com
    keemail.me hey.com fastmail.com fastmail.fm mailfence.com posteo.de posteo.net mailbox.org runbox.com
    hushmail.com zoho.com zohomail.com zohomail.eu disroot.org riseup.net startmail.com kolabnow.com
    mail.com email.com usa.com post.com europe.com consultant.com engineer.com
    gmx.com gmx.de gmx.net gmx.at gmx.ch gmx.us gmx.fr gmx.co.uk web.de freenet.de t-online.de arcor.de
    online.de email.de vodafone.de kabelmail.de
    yandex.ru yandex.com ya.ru mail.ru bk.ru inbox.ru list.ru internet.ru rambler.ru ukr.net i.ua
    wp.pl o2.pl onet.pl onet.eu op.pl interia.pl interia.eu gazeta.pl poczta.onet.pl tlen.pl vp.pl
    seznam.cz email.cz centrum.cz post.cz azet.sk zoznam.sk centrum.sk freemail.hu citromail.hu
    abv.bg mail.bg inbox.lv inbox.lt one.lt mail.ee hot.ee online.ee
    orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr numericable.fr club-internet.fr
    libero.it virgilio.it alice.it tin.it tiscali.it email.it fastwebnet.it inwind.it
    telefonica.net terra.es ono.com movistar.es sapo.pt mail.pt clix.pt
    ziggo.nl kpnmail.nl planet.nl xs4all.nl upcmail.nl hetnet.nl home.nl chello.nl casema.nl
    skynet.be telenet.be proximus.be scarlet.be bluewin.ch hispeed.ch sunrise.ch aon.at chello.at
    btinternet.com btopenworld.com sky.com virginmedia.com ntlworld.com blueyonder.co.uk talktalk.net
    tiscali.co.uk eircom.net
    comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net
    juno.com optonline.net roadrunner.com rr.com shaw.ca rogers.com sympatico.ca telus.net videotron.ca
    bigpond.com bigpond.net.au optusnet.com.au xtra.co.nz
    qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn sohu.com aliyun.com 139.com 189.cn
    naver.com hanmail.net daum.net nate.com rediffmail.com sify.com uol.com.br bol.com.br terra.com.br
    ig.com.br
    telia.com telia.se bredband.net bredband2.com comhem.se glocalnet.net tele2.se swipnet.se bahnhof.se
    passagen.se algonet.se ownit.nu spray.se home.se tyfon.se brikks.com privat.utfors.se utfors.se
    tele2.com tre.se halebop.se telenor.se gotanet.se riksnet.se bostream.nu skelleftea.net umenet.net
    mimer.se allente.se
    online.no start.no broadpark.no frisurf.no c2i.net getmail.no lyse.net altibox.no
    mail.dk tdcadsl.dk jubii.dk ofir.dk stofanet.dk youmail.dk webspeed.dk post.tele.dk privat.dk
    get2net.dk
    luukku.com suomi24.fi kolumbus.fi elisanet.fi saunalahti.fi pp.inet.fi inet.fi welho.com dnainternet.net
    jippii.fi netti.fi
    """.split()
)
"""Registrable domains, in lower case: free mail of the world, and providers of the Nordic countries."""
